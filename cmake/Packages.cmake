# Debian packages, by `cmake --build BUILD --target package`: pixmill, and pixmill-dev for authors of plugins. Of a build with the
# distribution's libvips alone: a prebuilt one goes into a bundle (cmake/Bundle.cmake), which needs no package manager.
if(NOT PIXMILL_VIPS STREQUAL "system")
  return()
endif()
set(PIXMILL_MAINTAINER "The pixmill maintainers <maintainers@pixmill.invalid>" CACHE STRING "Who a package names: NAME <ADDRESS>")

# Each distribution has its own libraries, so the version says which: 0.1.0-1~deb12 sorts before 0.1.0-1~deb13.
cmake_host_system_information(RESULT system QUERY DISTRIB_INFO)
set(release "${system_ID}${system_VERSION_ID}")
string(REPLACE "debian" "deb" release "${release}")
string(REGEX REPLACE "[^A-Za-z0-9.]" "" release "${release}")

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME pixmill)
set(CPACK_PACKAGE_CONTACT "${PIXMILL_MAINTAINER}")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_PACKAGE_DIRECTORY ${CMAKE_BINARY_DIR}/packages)
set(CPACK_STRIP_FILES ON)
set(CPACK_VERBATIM_VARIABLES ON)
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "") # each package has its own, as the first line of its description
set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_CURRENT_LIST_DIR}/package_modes.cmake)
set(CPACK_POST_BUILD_SCRIPTS ${CMAKE_CURRENT_LIST_DIR}/package_papers.cmake)

# A package is a group of components; what install() is given without a component would be in none, and a test would tell.
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_ALL runtime shell doc system dev devdoc)
foreach(component runtime shell doc system)
  string(TOUPPER ${component} upper)
  set(CPACK_COMPONENT_${upper}_GROUP program)
endforeach()
set(CPACK_COMPONENT_DEV_GROUP dev)
set(CPACK_COMPONENT_DEVDOC_GROUP dev)

set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE "1~${release}")
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)

set(CPACK_DEBIAN_PROGRAM_PACKAGE_NAME pixmill)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SECTION graphics)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SHLIBDEPS ON)
# The text of drawings and watermarks, connections to AWS, and HEIC where its decoder is a package of its own.
set(CPACK_DEBIAN_PROGRAM_PACKAGE_RECOMMENDS "ca-certificates, fonts-dejavu-core")
if(PIXMILL_HEIC AND HEIF_VERSION VERSION_GREATER_EQUAL 1.17)
  string(APPEND CPACK_DEBIAN_PROGRAM_PACKAGE_RECOMMENDS ", libheif-plugin-libde265")
endif()
set(CPACK_COMPONENT_PROGRAM_DESCRIPTION
    "plugin-based image pipeline
Takes images as they arrive in a folder or in S3, runs a chain of plugins over
each, and stores the renditions. Codecs and plugins run in sandboxed processes
without network, files or credentials.")

set(CPACK_DEBIAN_DEV_PACKAGE_NAME pixmill-dev)
set(CPACK_DEBIAN_DEV_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEV_PACKAGE_DEPENDS "pixmill (= ${PROJECT_VERSION}-1~${release}), libvips-dev (>= 8.14), pkg-config")
set(CPACK_COMPONENT_DEV_DESCRIPTION
    "plugin-based image pipeline (development files)
The header, the CMake package, the pkg-config file and the template to write
plugins of pixmill with.")

# What the programs are linked with, by its name for pkg-config, and under which licence.
set(CPACK_PIXMILL_PARTS
    "yaml-0.1|${YAML_VERSION}|MIT" "jansson|${JANSSON_VERSION}|MIT" "libcrypto|${CRYPTO_VERSION}|Apache-2.0" "libseccomp|${SECCOMP_VERSION}|LGPL-2.1-only"
    "zlib|${ZLIB_VERSION}|Zlib" "libcurl|${CURL_VERSION}|curl" "libmicrohttpd|${MICROHTTPD_VERSION}|LGPL-2.1-or-later" "expat|${EXPAT_VERSION}|MIT"
    "vips|${VIPS_VERSION}|LGPL-2.1-or-later")
if(PIXMILL_HEIC)
  list(APPEND CPACK_PIXMILL_PARTS "libheif|${HEIF_VERSION}|LGPL-3.0-or-later")
endif()

install(FILES config/debian/copyright DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/pixmill COMPONENT doc)
install(FILES config/debian/copyright DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/pixmill-dev COMPONENT devdoc)

include(CPack)
