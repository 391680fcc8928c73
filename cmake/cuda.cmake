# The hand-written CUDA kernels: by nvcc into a library that is opened when a GPU is asked for, and by the C++ compiler
# into one that runs them on the CPU, for tests. The second needs only CUDA's headers.
file(GLOB cuda_sources CONFIGURE_DEPENDS kernels/cuda/*.cu)
file(GLOB emulation_sources CONFIGURE_DEPENDS kernels/cuda/emulation/*.cpp)

# Program and library talk through classes and structs of these headers: both must have been built from the same.
file(GLOB shared_headers CONFIGURE_DEPENDS tensor/*.h kernels/*.h kernels/cuda/*.h)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${shared_headers})
set(digests "")
foreach(header ${shared_headers})
  file(SHA256 ${header} digest)
  string(APPEND digests ${digest})
endforeach()
string(SHA256 digests ${digests})
string(SUBSTRING ${digests} 0 16 digests)
set_source_files_properties(tensor/accelerator.cpp kernels/cuda/runtime/accelerator.cpp PROPERTIES
                            COMPILE_DEFINITIONS FER_CUDA_ABI="${digests}")
target_link_libraries(fer_tensor PUBLIC ${CMAKE_DL_LIBS})

find_program(FER_NVCC nvcc PATHS /usr/local/cuda/bin)
get_filename_component(nvcc_folder "${FER_NVCC}" DIRECTORY)
find_path(FER_CUDA_HEADERS cuda_bf16.h HINTS ${nvcc_folder}/../include PATHS /usr/local/cuda/include)

# cuDNN and cuBLASLt are opened when a GPU is used; the build needs their headers. They come with CUDA, or as Python's
# nvidia packages.
set(nvidia_folders ${nvcc_folder}/.. /usr/local/cuda)
find_program(FER_ANY_PYTHON python3)
if(FER_ANY_PYTHON)
  execute_process(COMMAND ${FER_ANY_PYTHON} -c "import nvidia; print(list(nvidia.__path__)[0])" OUTPUT_VARIABLE root
                  ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(root)
    file(GLOB nvidia_packages "${root}/c*")
    list(APPEND nvidia_folders ${nvidia_packages})
  endif()
endif()
find_path(FER_CUDNN_HEADERS cudnn.h HINTS ${nvidia_folders} PATH_SUFFIXES include)
find_path(FER_CUDNN_FOLDER libcudnn.so.9 HINTS ${nvidia_folders} PATH_SUFFIXES lib64 lib)
find_path(FER_CUBLAS_HEADERS cublasLt.h HINTS ${nvidia_folders} PATH_SUFFIXES include)
find_path(FER_CUBLAS_FOLDER NAMES libcublasLt.so.13 libcublasLt.so.12 HINTS ${nvidia_folders} PATH_SUFFIXES lib64 lib)
set(cudnn_source kernels/cuda/runtime/cudnn.cpp)
set_source_files_properties(${cudnn_source} PROPERTIES COMPILE_DEFINITIONS FER_CUDNN_FOLDER="${FER_CUDNN_FOLDER}")
set_source_files_properties(kernels/cuda/runtime/cublas.cpp PROPERTIES
                            COMPILE_DEFINITIONS FER_CUBLAS_FOLDER="${FER_CUBLAS_FOLDER}")

if(FER_CUDA STREQUAL "ON" AND NOT FER_NVCC)
  message(FATAL_ERROR "FER_CUDA is ON, but there is no nvcc; put it on the PATH or set FER_NVCC")
elseif(NOT FER_CUDA STREQUAL "OFF" AND FER_NVCC AND NOT FER_SANITIZE)
  set(CMAKE_CUDA_COMPILER ${FER_NVCC})
  set(CMAKE_CUDA_ARCHITECTURES ${FER_CUDA_ARCHITECTURES})
  set(CMAKE_CUDA_COMPILER_LAUNCHER ${CMAKE_CXX_COMPILER_LAUNCHER})
  enable_language(CUDA)
  set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION "-std=c++20")  # CMake 3.25 does not know that nvcc has it
  # The few functions that kernels' launchers need of tensor/ are compiled in, so that the library stands alone.
  add_library(fer_cuda SHARED ${cuda_sources} kernels/cuda/runtime/accelerator.cpp tensor/shape.cpp tensor/dtype.cpp)
  target_include_directories(fer_cuda PRIVATE ${PROJECT_SOURCE_DIR})
  target_include_directories(fer_cuda SYSTEM PRIVATE ${FER_CUDA_HEADERS})
  if(FER_CUDNN_HEADERS AND FER_CUBLAS_HEADERS)
    target_sources(fer_cuda PRIVATE ${cudnn_source} kernels/cuda/runtime/cublas.cpp tensor/file.cpp)
    target_include_directories(fer_cuda SYSTEM PRIVATE ${FER_CUDNN_HEADERS} ${FER_CUBLAS_HEADERS})
    target_compile_definitions(fer_cuda PRIVATE FER_CUDA_LIBRARIES)
  else()
    message(STATUS "no headers of cuDNN and cuBLASLt: on a GPU, dense convolutions and products will be plain loops")
  endif()
  set_target_properties(fer_cuda PROPERTIES CUDA_RUNTIME_LIBRARY Static)
  target_link_options(fer_cuda PRIVATE -Wl,--no-undefined)
  # 554: a View<const T> has a conversion to itself.
  target_compile_options(fer_cuda PRIVATE "$<$<COMPILE_LANGUAGE:CUDA>:--expt-relaxed-constexpr;-Werror=all-warnings;\
-diag-suppress=554;-Xcompiler=-Wall,-Wextra>")
endif()

# emulated_library(NAME [OPTION...]): the kernels for the CPU, compiled with these options.
function(emulated_library name)
  add_library(${name} STATIC ${emulation_sources})
  target_compile_definitions(${name} PUBLIC FER_CUDA_EMULATED)
  target_include_directories(${name} SYSTEM PUBLIC ${FER_CUDA_HEADERS})
  target_link_libraries(${name} PUBLIC fer_kernels)
  # -O1: the tests are quick enough with it, and optimising every kernel takes minutes. The pragmas: unroll. The last:
  # to the compiler a .cu is a header, whose unnamed namespaces it warns of.
  target_compile_options(${name} PRIVATE -O1 -Wno-unknown-pragmas -Wno-subobject-linkage)
  # The C++ compiler is shown each .cu through a .cpp that includes it.
  foreach(source ${cuda_sources})
    get_filename_component(kernel ${source} NAME_WE)
    set(wrapper ${PROJECT_BINARY_DIR}/${name}/${kernel}.cpp)
    file(CONFIGURE OUTPUT ${wrapper} CONTENT "#include \"${source}\"\n" @ONLY)
    set_source_files_properties(${wrapper} PROPERTIES COMPILE_OPTIONS "${ARGN}")
    target_sources(${name} PRIVATE ${wrapper})
  endforeach()
endfunction()

if(FER_CUDA_HEADERS)
  emulated_library(fer_cuda_emulated)
  if(NOT FER_SANITIZE)
    # For ThreadSanitizer, to which a CUDA thread is a thread: the files that switch between those are none of it.
    emulated_library(fer_cuda_races -fsanitize=thread)
    target_compile_definitions(fer_cuda_races PRIVATE FER_TSAN)
    target_link_options(fer_cuda_races PUBLIC -fsanitize=thread)
  endif()
endif()
