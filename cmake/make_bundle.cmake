# Collects in OUT what pixmill needs on a machine that has nothing. Called by the target `bundle`, which sets the variables.
#   bootstrap bin libexec   the launcher under each program's name, and the programs as NAME.real
#   lib                     ld.so, every library, and the plugins below lib/pixmill/plugins
#   etc                     certificates, fonts and their configuration
#   share/doc               the licences of all that was collected
cmake_minimum_required(VERSION 3.25)
file(REMOVE_RECURSE ${OUT})
execute_process(COMMAND ${CMAKE_COMMAND} --install ${BUILD} --component runtime --prefix ${OUT} --strip COMMAND_ERROR_IS_FATAL ANY
                OUTPUT_QUIET)

# --- programs, each behind the launcher
set(programs ${OUT}/${BINDIR}/pixmill ${OUT}/${LIBEXECDIR}/pixmill/pixmill-worker)
foreach(program ${programs})
  file(RENAME ${program} ${program}.real)
  file(COPY_FILE ${LAUNCHER} ${program})
endforeach()
file(COPY_FILE ${LAUNCHER} ${OUT}/bootstrap)
list(TRANSFORM programs APPEND .real)

# --- libraries
file(GLOB plugins ${OUT}/${PLUGINSDIR}/*.so)
file(GLOB own ${OUT}/${LIBRARIES}/*.so*)
set(CMAKE_OBJDUMP ${OBJDUMP})
file(GET_RUNTIME_DEPENDENCIES
     EXECUTABLES ${programs}
     MODULES ${plugins}
     RESOLVED_DEPENDENCIES_VAR libraries
     UNRESOLVED_DEPENDENCIES_VAR unresolved
     CONFLICTING_DEPENDENCIES_PREFIX conflicts)
if(unresolved OR conflicts_FILENAMES)
  message(FATAL_ERROR "These libraries were not found, or twice: ${unresolved} ${conflicts_FILENAMES}")
endif()
list(GET programs 0 program)
execute_process(COMMAND ${READELF} --program-headers --wide ${program} OUTPUT_VARIABLE headers COMMAND_ERROR_IS_FATAL ANY)
if(NOT headers MATCHES "interpreter: ([^]]+)\\]")
  message(FATAL_ERROR "${program} names no dynamic linker")
endif()
set(linker ${CMAKE_MATCH_1})
get_filename_component(linker_name ${linker} NAME)
foreach(library ${libraries})
  get_filename_component(name ${library} NAME)
  file(REAL_PATH ${library} real)
  if(NOT name STREQUAL linker_name)
    file(COPY_FILE ${real} ${OUT}/lib/${name} ONLY_IF_DIFFERENT)
  endif()
endforeach()
file(REAL_PATH ${linker} real)
file(COPY_FILE ${real} ${OUT}/lib/ld.so)
file(REMOVE ${own}) # copied to where all libraries lie

# --- files that libraries ask for
foreach(font DejaVuSans DejaVuSans-Bold)
  if(NOT EXISTS ${FONTS_DIR}/${font}.ttf)
    message(FATAL_ERROR "${FONTS_DIR}/${font}.ttf is missing: apt-get install fonts-dejavu-core, or set PIXMILL_FONTS_DIR")
  endif()
  file(COPY ${FONTS_DIR}/${font}.ttf DESTINATION ${OUT}/etc/fonts)
endforeach()
file(COPY ${SOURCE}/config/bundle/fonts.conf DESTINATION ${OUT}/etc/fonts)
if(NOT EXISTS ${CA_FILE})
  message(FATAL_ERROR "${CA_FILE} is missing: apt-get install ca-certificates, or set PIXMILL_CA_FILE")
endif()
file(REAL_PATH ${CA_FILE} real)
file(MAKE_DIRECTORY ${OUT}/etc/ssl/certs)
file(COPY_FILE ${real} ${OUT}/etc/ssl/certs/ca-certificates.crt)

# --- licences: ours, the prebuilt libvips', and those of the Debian packages that the libraries come from
set(doc ${OUT}/share/doc/pixmill)
file(MAKE_DIRECTORY ${doc}/third-party)
file(COPY ${SOURCE}/LICENSE DESTINATION ${doc})
if(NOTICES)
  file(COPY_FILE ${NOTICES} ${doc}/third-party/libvips.md)
endif()
find_program(dpkg dpkg-query)
if(dpkg)
  set(files ${libraries} ${linker} ${FONTS_DIR}/DejaVuSans.ttf)
  foreach(file ${files})
    file(REAL_PATH ${file} real)
    string(REGEX REPLACE "^/usr" "" short ${real}) # as packages from before the merge of /usr name it
    execute_process(COMMAND ${dpkg} --search ${real} ${short} OUTPUT_VARIABLE found ERROR_QUIET)
    if(found MATCHES "^([^:\n]+):")
      set(package ${CMAKE_MATCH_1})
      set(copyright /usr/share/doc/${package}/copyright)
      if(EXISTS ${copyright} AND NOT EXISTS ${doc}/third-party/${package})
        file(REAL_PATH ${copyright} copyright)
        file(COPY_FILE ${copyright} ${doc}/third-party/${package})
      endif()
    endif()
  endforeach()
endif()

# --- modes and size
set(readable OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
set(executable ${readable} OWNER_EXECUTE GROUP_EXECUTE WORLD_EXECUTE)
file(GLOB_RECURSE all LIST_DIRECTORIES true ${OUT}/*)
set(bytes 0)
foreach(file ${all})
  if(IS_DIRECTORY ${file} OR file MATCHES "/(bin|libexec)/|/bootstrap$|/lib/ld\\.so$")
    file(CHMOD ${file} PERMISSIONS ${executable})
  else()
    file(CHMOD ${file} PERMISSIONS ${readable})
  endif()
  if(NOT IS_DIRECTORY ${file})
    file(SIZE ${file} size)
    math(EXPR bytes "${bytes} + ${size}")
  endif()
endforeach()
math(EXPR mb "(${bytes} + 999999) / 1000000")
message(STATUS "${OUT}: ${mb} MB")
if(mb GREATER MAX_MB)
  message(FATAL_ERROR "the bundle takes ${mb} MB, more than PIXMILL_BUNDLE_MAX_MB (${MAX_MB}); -DPIXMILL_VIPS=prebuilt makes it smaller")
endif()
