# Libraries that others name and of which nothing is used. In a bundle stands, in the place of each, one whose functions do nothing.
#
# libcurl names libraries for protocols that pixmill does not speak: LDAP, RTMP and SSH, and Kerberos for proxies. They, and what they load in
# turn, take more than half of the time until main() and are 16 libraries that nothing uses. pixmill lets libcurl speak HTTP and HTTPS only (CURLOPT_PROTOCOLS_STR), so of all of them only what libcurl
# calls at its own start is ever called.
#
# libmicrohttpd names GnuTLS, for HTTPS, which the listener does not speak (core/net/listener.c).
#
# libheif names, besides libde265, the encoder of HEVC and codecs of AV1, 24 MB together. pixmill decodes HEVC with it and nothing else
# (core/engine/heic.c). A file may still name AV1 for a part of its picture: those functions fail, and so does the decoder.
set(STAND_IN_FOR "/lib(x265|aom|dav1d|SvtAv1(Enc|Dec)|rav1e|gssapi_krb5|ldap(_r)?(-2\\.[0-9]+)?|lber(-2\\.[0-9]+)?|rtmp|ssh2?|gnutls)\\.so[.0-9]*$")

# dynamic_symbols(FILE TYPES SECTIONS OUT): "name" or "name@version" of each symbol of FILE whose type and section match
function(dynamic_symbols file types sections out)
  execute_process(COMMAND ${READELF} --dyn-syms --wide ${file} OUTPUT_VARIABLE text COMMAND_ERROR_IS_FATAL ANY)
  # number: value size type binding visibility section name[@[@]version] [(number of the version)]
  string(REGEX MATCHALL " (${types}) +(GLOBAL|WEAK) +[A-Z]+ +(${sections}) [A-Za-z_][^ \n]*" symbols "${text}")
  list(TRANSFORM symbols REPLACE ".* " "")
  list(TRANSFORM symbols REPLACE "@@" "@")
  set(${out} ${symbols} PARENT_SCOPE)
endfunction()

# stand_in(LIBRARY OUT USER...): makes OUT/NAME with those symbols of LIBRARY that a USER asks for, in their versions
function(stand_in library out)
  get_filename_component(name ${library} NAME)
  dynamic_symbols(${library} "FUNC|IFUNC" "[0-9]+" functions)
  dynamic_symbols(${library} OBJECT "[0-9]+" objects)
  set(all_asked)
  foreach(user ${ARGN})
    dynamic_symbols(${user} "[A-Z]+" UND asked)
    list(APPEND all_asked ${asked})
  endforeach()
  list(REMOVE_DUPLICATES all_asked)
  set(code "")
  set(versions)
  foreach(symbol ${all_asked})
    string(REGEX REPLACE "@.*" "" symbol_name ${symbol})
    if(symbol IN_LIST objects)
      string(APPEND code "const void *const ${symbol_name} = 0;\n")
    elseif(NOT symbol IN_LIST functions)
      continue()
    elseif(symbol MATCHES "^(gss|dav1d|aom)_")
      string(APPEND code "long ${symbol_name}(void) { return -1; }\n") # they call 0 a success
    else()
      string(APPEND code "long ${symbol_name}(void) { return 0; }\n") # a success, or no pointer
    endif()
    if(symbol MATCHES "@(.+)")
      list(APPEND versions ${CMAKE_MATCH_1})
      string(APPEND symbols_${CMAKE_MATCH_1} " ${symbol_name};")
    endif()
  endforeach()
  if(NOT code)
    message(FATAL_ERROR "${ARGN} asks for nothing of ${library}")
  endif()
  list(REMOVE_DUPLICATES versions)
  set(map "")
  foreach(version ${versions})
    string(APPEND map "${version} {${symbols_${version}} };\n")
  endforeach()
  set(work ${BUILD}/stand-in)
  file(WRITE ${work}/${name}.c "${code}")
  file(WRITE ${work}/${name}.map "${map}")
  set(flags -shared -fPIC -Os -fno-builtin -nostdlib -s -Wl,-z,noexecstack,-soname,${name})
  if(map)
    list(APPEND flags -Wl,--version-script=${work}/${name}.map)
  endif()
  execute_process(COMMAND ${CC} ${flags} -o ${out}/${name} ${work}/${name}.c COMMAND_ERROR_IS_FATAL ANY)
endfunction()
