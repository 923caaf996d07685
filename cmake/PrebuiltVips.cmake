# vips::vips as npm distributes it, for PIXMILL_VIPS=prebuilt: one shared library with libvips, GLib and all codecs inside, which asks
# for glibc >= 2.28 and libstdc++ and nothing else. Pinned by version and by the SHA-512 of the package, which is the
# "integrity" that the registry states (`npm view NAME@VERSION dist.integrity`, in hexadecimal here):
#   echo INTEGRITY | sed s/sha512-// | base64 -d | xxd -p -c 64
# Packages are fetched with npm, into a cache of the user's, or taken from the folder PIXMILL_VIPS_PACKAGES (also a variable of the
# environment) where the network is out of reach.
set(PIXMILL_VIPS_PACKAGES "$ENV{PIXMILL_VIPS_PACKAGES}" CACHE PATH "Folder that holds npm's .tgz files of the prebuilt libvips; empty: npm fetches them")

set(prebuilt_version 1.3.4)
set(prebuilt_vips 8.18.7)
set(prebuilt_sha512_linux-x64 189fff4925db9f04837acd36ba60779c324b15c433c3c6b5f15f1fca1aabead579d79b4e10c7489a38f18f502869f311cf9e85dcf1e07ed9e3d5010a494d7393)
set(prebuilt_sha512_linux-arm64 6377605ffea513642141bf86c72d166717e0f4c126fc90636a66694b622494fef1210a0a378873026eca70c546b5a543b779de13d38a042eef01fa2703f2ebd4)
set(prebuilt_sha512_dev b35548abaa7cde95868b5864ed52dd7d1888e8352894662a6e908dbb8cdd1086ca8e56dd47dcc716922263ac10b676e7e6349fbbdf84fcf482dbab6438d7abd9)

set(prebuilt_folder ${CMAKE_BINARY_DIR}/prebuilt)
if(PIXMILL_VIPS_PACKAGES)
  set(prebuilt_packages ${PIXMILL_VIPS_PACKAGES})
elseif(NOT "$ENV{XDG_CACHE_HOME}" STREQUAL "")
  set(prebuilt_packages $ENV{XDG_CACHE_HOME}/pixmill/vips)
elseif(NOT "$ENV{HOME}" STREQUAL "")
  set(prebuilt_packages $ENV{HOME}/.cache/pixmill/vips)
else()
  set(prebuilt_packages ${prebuilt_folder})
endif()
set(PIXMILL_VIPS_TAKEN_FROM ${prebuilt_packages} CACHE INTERNAL "Where npm's packages of the prebuilt libvips lie")

# prebuilt_check(FILE SHA512): stops where the file is another
function(prebuilt_check file sha512)
  file(SHA512 ${file} actual)
  if(NOT actual STREQUAL sha512)
    message(FATAL_ERROR "${file} is not the package that pixmill is built with and is not used:\n"
                        "  its SHA-512 is ${actual}\n  it should be   ${sha512}")
  endif()
endfunction()

# prebuilt_package(NAME): unpacks @img/sharp-libvips-NAME into prebuilt_folder/NAME
function(prebuilt_package name)
  set(file img-sharp-libvips-${name}-${prebuilt_version}.tgz)
  set(sha512 ${prebuilt_sha512_${name}})
  set(out ${prebuilt_folder}/${name})
  if(EXISTS ${out}/${sha512})
    return()
  endif()
  set(path ${prebuilt_packages}/${file})
  if(NOT EXISTS ${path})
    if(PIXMILL_VIPS_PACKAGES)
      message(FATAL_ERROR "${path} is missing; `npm pack @img/sharp-libvips-${name}@${prebuilt_version}` fetches it")
    endif()
    find_program(PIXMILL_NPM npm)
    if(NOT PIXMILL_NPM)
      message(FATAL_ERROR "npm is missing, which fetches the prebuilt libvips: apt-get install npm, "
                          "or name a folder with its packages in PIXMILL_VIPS_PACKAGES")
    endif()
    message(STATUS "Fetching @img/sharp-libvips-${name} ${prebuilt_version}")
    file(MAKE_DIRECTORY ${prebuilt_packages})
    execute_process(
      COMMAND ${PIXMILL_NPM} pack --loglevel=error --no-update-notifier --prefer-offline --pack-destination ${prebuilt_packages} @img/sharp-libvips-${name}@${prebuilt_version}
      WORKING_DIRECTORY ${prebuilt_packages}
      RESULT_VARIABLE result
      OUTPUT_VARIABLE said
      ERROR_VARIABLE said
      TIMEOUT 300)
    if(NOT result EQUAL 0 OR NOT EXISTS ${path})
      message(FATAL_ERROR "npm cannot fetch @img/sharp-libvips-${name} ${prebuilt_version} (${result})\n${said}")
    endif()
  endif()
  prebuilt_check(${path} ${sha512})
  file(REMOVE_RECURSE ${out})
  file(ARCHIVE_EXTRACT INPUT ${path} DESTINATION ${out})
  file(TOUCH ${out}/${sha512})
endfunction()

if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
  set(prebuilt_platform linux-x64)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
  set(prebuilt_platform linux-arm64)
else()
  message(FATAL_ERROR "There is no prebuilt libvips for ${CMAKE_SYSTEM_PROCESSOR}: use -DPIXMILL_VIPS=system")
endif()
prebuilt_package(${prebuilt_platform})
prebuilt_package(dev)

# Of the headers only libvips' and GLib's: the package has those of zlib, expat and others too, whose code it keeps to itself.
set(prebuilt_include ${prebuilt_folder}/include)
if(NOT EXISTS ${prebuilt_include}/vips)
  file(MAKE_DIRECTORY ${prebuilt_include})
  file(CREATE_LINK ${prebuilt_folder}/dev/package/include/vips ${prebuilt_include}/vips SYMBOLIC)
endif()
set(prebuilt_library ${prebuilt_folder}/${prebuilt_platform}/package/lib/libvips-cpp.so.${prebuilt_vips})
add_library(vips::vips SHARED IMPORTED)
set_target_properties(vips::vips PROPERTIES IMPORTED_LOCATION ${prebuilt_library} IMPORTED_SONAME libvips-cpp.so.${prebuilt_vips})
target_include_directories(
  vips::vips INTERFACE ${prebuilt_include} ${prebuilt_folder}/dev/package/include/glib-2.0
                       ${prebuilt_folder}/${prebuilt_platform}/package/lib/glib-2.0/include)
set(PIXMILL_VIPS_LIBRARY ${prebuilt_library})
set(PIXMILL_VIPS_NOTICES ${prebuilt_folder}/${prebuilt_platform}/package/README.md)
