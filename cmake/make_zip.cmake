# The contents of FOLDER as the zip OUT.
file(REMOVE ${OUT})
file(GLOB entries RELATIVE ${FOLDER} ${FOLDER}/*)
execute_process(
  COMMAND ${CMAKE_COMMAND} -E tar cf ${OUT} --format=zip -- ${entries}
  WORKING_DIRECTORY ${FOLDER}
  RESULT_VARIABLE result)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "${OUT} could not be written (${result})")
endif()
file(SIZE ${OUT} bytes)
math(EXPR mb "(${bytes} + 500000) / 1000000")
message(STATUS "${OUT}: ${mb} MB")
