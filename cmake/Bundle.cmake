# Packages that need nothing of the machine they run on: programs, plugins, every library down to the dynamic linker, fonts and
# certificates. docs/packages.md tells what they are for.
#   bundle      the folder BUILD/bundle
#   lambda-zip  the same as BUILD/pixmill-lambda.zip, for AWS Lambda's provided.al2023
set(PIXMILL_BUNDLE_MAX_MB 60 CACHE STRING "What a bundle may take, unpacked, in MB (10^6 bytes)")
set(PIXMILL_CA_FILE /etc/ssl/certs/ca-certificates.crt CACHE FILEPATH "The certificate authorities of a bundle")
set(PIXMILL_FONTS_DIR /usr/share/fonts/truetype/dejavu CACHE PATH "The folder that a bundle takes DejaVuSans.ttf and DejaVuSans-Bold.ttf from")

add_custom_target(
  bundle
  COMMAND
    ${CMAKE_COMMAND} -D BUILD=${CMAKE_BINARY_DIR} -D SOURCE=${CMAKE_SOURCE_DIR} -D OUT=${CMAKE_BINARY_DIR}/bundle
    -D LAUNCHER=$<TARGET_FILE:pixmill-launcher> -D BINDIR=${CMAKE_INSTALL_BINDIR} -D LIBEXECDIR=${CMAKE_INSTALL_LIBEXECDIR}
    -D PLUGINSDIR=${PIXMILL_INSTALL_PLUGINSDIR} -D LIBRARIES=${CMAKE_INSTALL_LIBDIR}/pixmill -D NOTICES=${PIXMILL_VIPS_NOTICES} -D HEIF_LIBRARY=${pkgcfg_lib_HEIF_heif}
    -D MAX_MB=${PIXMILL_BUNDLE_MAX_MB} -D CA_FILE=${PIXMILL_CA_FILE} -D FONTS_DIR=${PIXMILL_FONTS_DIR} -D OBJDUMP=${CMAKE_OBJDUMP}
    -D READELF=${CMAKE_READELF} -D CC=${CMAKE_C_COMPILER} -P ${CMAKE_SOURCE_DIR}/cmake/make_bundle.cmake
  DEPENDS pixmill pixmill-worker pixmill-launcher
  COMMENT "Collecting all that pixmill needs"
  VERBATIM)
get_property(plugins GLOBAL PROPERTY PIXMILL_INSTALLED_PLUGINS)
add_dependencies(bundle ${plugins})

add_custom_target(
  lambda-zip
  COMMAND ${CMAKE_COMMAND} -D FOLDER=${CMAKE_BINARY_DIR}/bundle -D OUT=${CMAKE_BINARY_DIR}/pixmill-lambda.zip -P
          ${CMAKE_SOURCE_DIR}/cmake/make_zip.cmake
  DEPENDS bundle
  COMMENT "Packing pixmill-lambda.zip"
  VERBATIM)
