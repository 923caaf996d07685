# What `cmake --install` puts in place besides the programs and plugins, which install themselves: the one public header,
# a CMake package and a pkg-config file for authors of plugins, and the template they start from. Nothing holds
# an absolute path, so that --prefix and moving the tree afterwards both work.
include(CMakePackageConfigHelpers)

set(PIXMILL_INSTALL_CMAKEDIR ${CMAKE_INSTALL_LIBDIR}/cmake/Pixmill)
set(PIXMILL_INSTALL_PKGCONFIGDIR ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

install(FILES core/include/pixmill/plugin.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/pixmill COMPONENT dev)

install(TARGETS pixmill_plugin_api EXPORT PixmillTargets COMPONENT dev)
install(EXPORT PixmillTargets NAMESPACE pixmill:: DESTINATION ${PIXMILL_INSTALL_CMAKEDIR} COMPONENT dev)
configure_package_config_file(
  cmake/PixmillConfig.cmake.in ${CMAKE_BINARY_DIR}/cmake/PixmillConfig.cmake
  INSTALL_DESTINATION ${PIXMILL_INSTALL_CMAKEDIR}
  PATH_VARS PIXMILL_INSTALL_PLUGINSDIR)
# Same major version: the plugin ABI's minor versions are opt-in, and the handshake has the last word.
write_basic_package_version_file(${CMAKE_BINARY_DIR}/cmake/PixmillConfigVersion.cmake COMPATIBILITY SameMajorVersion)
install(FILES ${CMAKE_BINARY_DIR}/cmake/PixmillConfig.cmake ${CMAKE_BINARY_DIR}/cmake/PixmillConfigVersion.cmake
              cmake/PixmillPlugin.cmake
        DESTINATION ${PIXMILL_INSTALL_CMAKEDIR} COMPONENT dev)

# pkg-config finds its prefix from where the file lies.
if(IS_ABSOLUTE ${PIXMILL_INSTALL_PKGCONFIGDIR})
  set(PIXMILL_PC_PREFIX ${CMAKE_INSTALL_PREFIX})
else()
  file(RELATIVE_PATH up /${PIXMILL_INSTALL_PKGCONFIGDIR} /)
  string(REGEX REPLACE "/$" "" up "${up}")
  set(PIXMILL_PC_PREFIX "\${pcfiledir}/${up}")
endif()
foreach(dir PLUGINSDIR INCLUDEDIR)
  if(dir STREQUAL "PLUGINSDIR")
    set(value ${PIXMILL_INSTALL_PLUGINSDIR})
  else()
    set(value ${CMAKE_INSTALL_INCLUDEDIR})
  endif()
  if(IS_ABSOLUTE ${value})
    set(PIXMILL_PC_${dir} ${value})
  else()
    set(PIXMILL_PC_${dir} "\${prefix}/${value}")
  endif()
endforeach()
configure_file(cmake/pixmill.pc.in ${CMAKE_BINARY_DIR}/cmake/pixmill.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/cmake/pixmill.pc DESTINATION ${PIXMILL_INSTALL_PKGCONFIGDIR} COMPONENT dev)

install(DIRECTORY plugins/template DESTINATION ${CMAKE_INSTALL_DATADIR}/pixmill COMPONENT dev)

# What makes shells complete. Each looks in a folder of its own.
set(completions)
set(place_bash bash-completion/completions/pixmill)
set(place_zsh zsh/site-functions/_pixmill)
set(place_fish fish/vendor_completions.d/pixmill.fish)
foreach(shell bash zsh fish)
  set(place ${place_${shell}})
  get_filename_component(folder ${place} DIRECTORY)
  set(file ${CMAKE_BINARY_DIR}/completions/${place})
  add_custom_command(
    OUTPUT ${file}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/completions/${folder}
    COMMAND pixmill completion ${shell} > ${file}
    DEPENDS pixmill
    VERBATIM)
  list(APPEND completions ${file})
  install(FILES ${file} DESTINATION ${CMAKE_INSTALL_DATADIR}/${folder} COMPONENT shell)
endforeach()
add_custom_target(completions ALL DEPENDS ${completions})

# The manual page, from the tables that --help is printed from.
set(manual ${CMAKE_BINARY_DIR}/man/pixmill.1)
add_custom_command(
  OUTPUT ${manual}
  COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/man
  COMMAND pixmill manual > ${manual}
  DEPENDS pixmill
  VERBATIM)
add_custom_target(manual ALL DEPENDS ${manual})
install(FILES ${manual} DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT doc)

# For systemd, which looks below /usr/local as below /usr, and finds programs in both.
install(FILES config/systemd/pixmill@.service DESTINATION lib/systemd/system COMPONENT system)
install(FILES config/systemd/sysusers.conf DESTINATION lib/sysusers.d RENAME pixmill.conf COMPONENT system)
install(FILES config/systemd/tmpfiles.conf DESTINATION lib/tmpfiles.d RENAME pixmill.conf COMPONENT system)

add_custom_target(uninstall COMMAND ${CMAKE_COMMAND} -D MANIFEST=${CMAKE_BINARY_DIR}/install_manifest.txt -P ${CMAKE_SOURCE_DIR}/cmake/uninstall.cmake VERBATIM)
