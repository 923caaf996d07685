# Warnings, hardening and sanitizers: one interface target that all our targets link.
include(CheckPIESupported)
check_pie_supported()

add_library(pm_flags INTERFACE)
target_compile_options(pm_flags INTERFACE -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes
                                          -Wvla -fno-strict-aliasing -fno-common)
# clang's -Wconversion asks about constants of enums in floating-point arithmetic since 19; each of them is exact.
include(CheckCCompilerFlag)
check_c_compiler_flag(-Wenum-float-conversion PIXMILL_HAS_ENUM_FLOAT)
if(PIXMILL_HAS_ENUM_FLOAT)
  target_compile_options(pm_flags INTERFACE -Wno-enum-float-conversion)
endif()
# valgrind before 3.20, Debian 12's among them, gives up on clang's DWARF 5.
if(CMAKE_C_COMPILER_ID STREQUAL "Clang")
  target_compile_options(pm_flags INTERFACE $<$<CONFIG:Debug,RelWithDebInfo>:-gdwarf-4>)
endif()
target_compile_definitions(pm_flags INTERFACE _GNU_SOURCE PIXMILL_VERSION="${PROJECT_VERSION}")
if(PIXMILL_WERROR)
  target_compile_options(pm_flags INTERFACE -Werror)
endif()
if(PIXMILL_CRASH_POINTS)
  target_compile_definitions(pm_flags INTERFACE PIXMILL_CRASH_POINTS)
endif()
if(PIXMILL_SANITIZE)
  target_compile_options(pm_flags INTERFACE -fsanitize=address,undefined -fno-sanitize-recover=undefined
                                            -fno-omit-frame-pointer)
  target_link_options(pm_flags INTERFACE -fsanitize=address,undefined)
elseif(NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
  target_compile_options(pm_flags INTERFACE -fstack-protector-strong -fstack-clash-protection -U_FORTIFY_SOURCE
                                            -D_FORTIFY_SOURCE=2)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    target_compile_options(pm_flags INTERFACE -fcf-protection)
  endif()
  target_link_options(pm_flags INTERFACE -Wl,-z,relro,-z,now,-z,noexecstack)
endif()
if(PIXMILL_FUZZ)
  target_compile_options(pm_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

# What core/ is built with beside pm_flags. The counters are mapped from one file per program, shared by all of its processes: so a child's lines
# count although its sandbox lets it write no file, and those of a process that is killed.
add_library(pm_coverage INTERFACE)
if(PIXMILL_COVERAGE)
  if(NOT CMAKE_C_COMPILER_ID STREQUAL "Clang")
    message(FATAL_ERROR "PIXMILL_COVERAGE needs clang: set CMAKE_C_COMPILER=clang")
  endif()
  target_compile_options(pm_coverage INTERFACE -fcoverage-mapping -mllvm -runtime-counter-relocation
                                               "-fprofile-instr-generate=${CMAKE_BINARY_DIR}/coverage/%m%c.profraw")
  target_link_options(pm_coverage INTERFACE "-fprofile-instr-generate=${CMAKE_BINARY_DIR}/coverage/%m%c.profraw")
endif()
