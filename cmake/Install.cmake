install(FILES core/include/pixmill/plugin.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/pixmill)
