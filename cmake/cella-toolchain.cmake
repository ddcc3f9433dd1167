# CMake builds cells with it: cmake -DCMAKE_TOOLCHAIN_FILE=PREFIX/share/cella/cella-toolchain.cmake ...
#
# Programs are NAME.cell. Those that CMake runs itself (try_run, ctest) run with `cella run`; what
# CELLA_RUN_OPTIONS holds (a list) comes behind that, by default the working directory as the cell's root.

set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR wasm32)
set(UNIX 1)
set(WASI 1)

find_program(CELLA_PROGRAM cella HINTS "${CMAKE_CURRENT_LIST_DIR}/../.." "${CMAKE_CURRENT_LIST_DIR}/../../bin"
             NO_CMAKE_FIND_ROOT_PATH REQUIRED)
set(CMAKE_C_COMPILER "${CELLA_PROGRAM}" cc)
set(CMAKE_CXX_COMPILER "${CELLA_PROGRAM}" c++)
find_program(CMAKE_AR llvm-ar-19 NO_CMAKE_FIND_ROOT_PATH REQUIRED)
find_program(CMAKE_RANLIB llvm-ranlib-19 NO_CMAKE_FIND_ROOT_PATH REQUIRED)
find_program(CMAKE_NM llvm-nm-19 NO_CMAKE_FIND_ROOT_PATH)

# Bytes do not depend on where the project lies.
set(CMAKE_C_FLAGS_INIT "-ffile-prefix-map=${CMAKE_SOURCE_DIR}/=")
set(CMAKE_CXX_FLAGS_INIT "-ffile-prefix-map=${CMAKE_SOURCE_DIR}/=")

if(NOT DEFINED CELLA_RUN_OPTIONS)
  set(CELLA_RUN_OPTIONS --dir .:/)
endif()
set(CMAKE_CROSSCOMPILING_EMULATOR "${CELLA_PROGRAM}" run --quiet ${CELLA_RUN_OPTIONS})

# Nothing of the host's is for cells.
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(CMAKE_FIND_ROOT_PATH "${CMAKE_CURRENT_LIST_DIR}/sysroot")
set(CMAKE_EXECUTABLE_SUFFIX_C .cell)
set(CMAKE_EXECUTABLE_SUFFIX_CXX .cell)
