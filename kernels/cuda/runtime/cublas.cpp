// Matrix products by cuBLASLt. To it, which counts along columns, a matrix [r,c] of ours is its transpose, of c rows.
#include <cublasLt.h>

#include <memory>

#include "kernels/cuda/bias.h"
#include "kernels/cuda/products.h"
#include "kernels/cuda/runtime/opened_library.h"

namespace fer::cuda {
inline namespace FER_CUDA_BUILD {

namespace {

#define FER_TEXT(x) #x
#define FER_LIBRARY(version) "libcublasLt.so." FER_TEXT(version)
constexpr const char* cublas_name = FER_LIBRARY(CUBLAS_VER_MAJOR);
#undef FER_LIBRARY
#undef FER_TEXT

#define FER_CUBLAS_FUNCTIONS(X)                                                                      \
  X(cublasLtCreate)                                                                                  \
  X(cublasLtGetStatusString)                                                                         \
  X(cublasLtMatmul)                                                                                  \
  X(cublasLtMatmulAlgoGetHeuristic) X(cublasLtMatmulDescCreate) X(cublasLtMatmulDescDestroy)         \
      X(cublasLtMatmulDescSetAttribute) X(cublasLtMatrixLayoutCreate) X(cublasLtMatrixLayoutDestroy) \
          X(cublasLtMatmulPreferenceCreate) X(cublasLtMatmulPreferenceDestroy) X(cublasLtMatmulPreferenceSetAttribute)

struct Cublas {
  Cublas() {
    const OpenedLibrary library(cublas_name, FER_CUBLAS_FOLDER);
#define FER_FIND(name) library.find(#name, name);
    FER_CUBLAS_FUNCTIONS(FER_FIND)
#undef FER_FIND
    check(cublasLtCreate(&handle), "start");
  }

  void check(cublasStatus_t status, const char* what) const {
    if (status != CUBLAS_STATUS_SUCCESS) {
      fail("cuBLASLt cannot ", what, ": ", cublasLtGetStatusString(status));
    }
  }

#define FER_MEMBER(name) decltype(&::name) name;  // NOLINT(bugprone-macro-parentheses)
  FER_CUBLAS_FUNCTIONS(FER_MEMBER)
#undef FER_MEMBER
  cublasLtHandle_t handle = nullptr;
};

const Cublas& cublas() {
  static const Cublas opened;
  return opened;
}

// What the library makes and takes back.
template <class T>
using Owned = std::unique_ptr<std::remove_pointer_t<T>, cublasStatus_t (*)(T)>;

constexpr size_t most_workspace = 32 << 20;

// One product d = op(a) op(b), all as cuBLASLt sees them.
class Matmul {
 public:
  explicit Matmul(const MatrixProduct& product) : product_(product) {
    const bool half = product.precision == Precision::bf16;
    const cudaDataType_t type = half ? CUDA_R_16BF : CUDA_R_32F;
    const auto matrix = [&](int64_t rows, int64_t columns) {
      cublasLtMatrixLayout_t made = nullptr;
      cublas().check(cublas().cublasLtMatrixLayoutCreate(&made, type, static_cast<uint64_t>(rows),
                                                         static_cast<uint64_t>(columns), rows),
                     "describe a matrix");
      return Owned<cublasLtMatrixLayout_t>(made, cublas().cublasLtMatrixLayoutDestroy);
    };
    const int64_t rows = product.rows, in = product.in, out = product.out;
    cublasOperation_t of_a = CUBLAS_OP_N, of_b = CUBLAS_OP_N;
    switch (product.pass) {
      case Pass::forward:  // y = w x
        a_ = matrix(in, out);
        b_ = matrix(in, rows);
        d_ = matrix(out, rows);
        of_a = CUBLAS_OP_T;
        break;
      case Pass::backward_data:  // dx = w dy
        a_ = matrix(in, out);
        b_ = matrix(out, rows);
        d_ = matrix(in, rows);
        break;
      case Pass::backward_weight:  // dw = x dy
        a_ = matrix(in, rows);
        b_ = matrix(out, rows);
        d_ = matrix(in, out);
        of_b = CUBLAS_OP_T;
        break;
    }
    const cublasComputeType_t compute =
        product.precision == Precision::tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
    cublasLtMatmulDesc_t operation = nullptr;
    cublas().check(cublas().cublasLtMatmulDescCreate(&operation, compute, CUDA_R_32F), "describe a product");
    operation_ = {operation, cublas().cublasLtMatmulDescDestroy};
    set(CUBLASLT_MATMUL_DESC_TRANSA, of_a);
    set(CUBLASLT_MATMUL_DESC_TRANSB, of_b);
    fused_ = product.bias && !half;  // a bias would have to be bf16 too
    if (fused_) {
      set(CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_BIAS);
    }
    choose();
  }
  int64_t workspace_bytes() const { return static_cast<int64_t>(choice_.workspaceSize); }

  // a and b in the order of kernels/linear.h.
  void run(const void* a, const void* b, const void* bias, void* result, std::byte* workspace, Stream stream) {
    if (fused_) {
      set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias);
    }
    const void* first = product_.pass == Pass::forward ? b : a;   // w, w, x
    const void* second = product_.pass == Pass::forward ? a : b;  // x, dy, dy
    const float one = 1, zero = 0;
    cublas().check(cublas().cublasLtMatmul(cublas().handle, operation_.get(), &one, first, a_.get(), second, b_.get(),
                                           &zero, result, d_.get(), result, d_.get(), &choice_.algo, workspace,
                                           choice_.workspaceSize, static_cast<cudaStream_t>(stream.handle)),
                   "run a product");
    if (!product_.bias || fused_) {
      return;
    }
    add_bias<bf16>({static_cast<const float*>(bias), {product_.out}},
                   {static_cast<bf16*>(result), {product_.rows, product_.out}}, stream);
  }

 private:
  template <class T>
  void set(cublasLtMatmulDescAttributes_t name, const T& value) {
    cublas().check(cublas().cublasLtMatmulDescSetAttribute(operation_.get(), name, &value, sizeof value),
                   "take an attribute");
  }

  // Its first choice among those whose sums have one order.
  void choose() {
    cublasLtMatmulPreference_t preference = nullptr;
    cublas().check(cublas().cublasLtMatmulPreferenceCreate(&preference), "describe a preference");
    const Owned<cublasLtMatmulPreference_t> owner(preference, cublas().cublasLtMatmulPreferenceDestroy);
    const uint32_t reductions = CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;
    const auto prefer = [&](cublasLtMatmulPreferenceAttributes_t name, const auto& value) {
      cublas().check(cublas().cublasLtMatmulPreferenceSetAttribute(preference, name, &value, sizeof value),
                     "take a preference");
    };
    prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, most_workspace);
    prefer(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, reductions);
    int found = 0;
    cublas().check(cublas().cublasLtMatmulAlgoGetHeuristic(cublas().handle, operation_.get(), a_.get(), b_.get(),
                                                           d_.get(), d_.get(), preference, 1, &choice_, &found),
                   "choose how to multiply");
    if (found == 0) {
      fail("cuBLASLt has no way to multiply ", product_.rows, " rows of ", product_.in, " by ", product_.out);
    }
  }

  MatrixProduct product_;
  Owned<cublasLtMatmulDesc_t> operation_{nullptr, nullptr};
  Owned<cublasLtMatrixLayout_t> a_{nullptr, nullptr}, b_{nullptr, nullptr}, d_{nullptr, nullptr};
  cublasLtMatmulHeuristicResult_t choice_{};
  bool fused_ = false;
};

}  // namespace

PreparedProduct prepare_matrix_product(const MatrixProduct& product) {
  return or_plain_loops([&]() -> PreparedProduct {
    const auto matmul = std::make_shared<Matmul>(product);
    return {[matmul](const void* a, const void* b, const void* bias, void* result, std::byte* workspace,
                     Stream stream) { matmul->run(a, b, bias, result, workspace, stream); },
            matmul->workspace_bytes(), "cuBLASLt"};
  });
}

}  // namespace FER_CUDA_BUILD
}  // namespace fer::cuda
