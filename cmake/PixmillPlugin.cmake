# pixmill_add_plugin(NAME [NO_INSTALL] SOURCES...): one shared object NAME.so written against pixmill/plugin.h, as target
# plugin_NAME. It links neither libvips nor GLib: the worker provides their symbols, so that one binary runs on
# any libvips that is not older than the one whose headers it was built with. NO_INSTALL leaves out the install rule.
function(pixmill_add_plugin name)
  cmake_parse_arguments(PARSE_ARGV 1 plugin "NO_INSTALL" "" "")
  set(target plugin_${name})
  add_library(${target} MODULE ${plugin_UNPARSED_ARGUMENTS})
  # No file beside the sources may decide what is exported: hidden by default, PM_PLUGIN() exports the one symbol.
  set_target_properties(${target} PROPERTIES PREFIX "" SUFFIX ".so" OUTPUT_NAME ${name} C_VISIBILITY_PRESET hidden
                                             CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  if(NOT TARGET vips::vips) # out of pixmill's own tree
    find_package(PkgConfig REQUIRED)
    pkg_check_modules(VIPS REQUIRED IMPORTED_TARGET vips>=8.14)
    add_library(vips::vips ALIAS PkgConfig::VIPS)
  endif()
  target_include_directories(${target} SYSTEM PRIVATE
                             $<TARGET_PROPERTY:vips::vips,INTERFACE_INCLUDE_DIRECTORIES>)
  target_compile_options(${target} PRIVATE $<TARGET_PROPERTY:vips::vips,INTERFACE_COMPILE_OPTIONS>)
  target_link_libraries(${target} PRIVATE pixmill::plugin)
  target_link_libraries(${target} PRIVATE m)
  if(TARGET pm_flags) # in pixmill's own tree
    target_link_libraries(${target} PRIVATE pm_flags)
  endif()
  target_link_options(${target} PRIVATE -Wl,-z,lazy -Wl,--as-needed)
  if(NOT plugin_NO_INSTALL)
    install(TARGETS ${target} LIBRARY DESTINATION ${PIXMILL_INSTALL_PLUGINSDIR} COMPONENT runtime)
    set_property(GLOBAL APPEND PROPERTY PIXMILL_INSTALLED_PLUGINS ${target})
  endif()
endfunction()
