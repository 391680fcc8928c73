#include "kernels/onednn.h"

#include <algorithm>
#include <mutex>

#include "kernels/prepared.h"
#include "tensor/parallel.h"

namespace fer::onednn {

namespace {

using dnnl::memory;

struct Processor {
  Processor() : engine(dnnl::engine::kind::cpu, 0), stream(engine) {
    // Kernels hold the primitives they need; a cache would only keep dead ones resident: see SharedPreparation.
    dnnl::set_primitive_cache_capacity(0);
  }
  dnnl::engine engine;
  dnnl::stream stream;
};

const Processor& processor() {
  static const Processor instance;
  return instance;
}

// oneDNN names dimensions in the order N, C, H, W whatever lies in memory.
memory::desc channels_second(const Shape& shape, memory::format_tag layout) {
  return memory::desc({shape[0], shape[3], shape[1], shape[2]}, memory::data_type::f32, layout);
}

}  // namespace

const dnnl::engine& cpu() { return processor().engine; }

dnnl::primitive_attr caller_scratchpad(const Conv2dEpilogue& epilogue) {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  dnnl::post_ops after;
  if (epilogue.add) {
    after.append_sum();
  }
  if (epilogue.activation == Activation::relu) {
    after.append_eltwise(1, dnnl::algorithm::eltwise_relu, 0, 0);
  } else if (epilogue.activation != Activation::identity) {
    const ClampRange range = *clamp_range(epilogue.activation);
    after.append_eltwise(1, dnnl::algorithm::eltwise_clip, range.low, range.high);
  }
  attributes.set_post_ops(after);
  return attributes;
}

memory::desc images(const Shape& shape) { return channels_second(shape, memory::format_tag::nhwc); }
memory::desc weights(const Shape& shape) { return channels_second(shape, memory::format_tag::ohwi); }
memory::desc weights_in_any_order(const Shape& shape) { return channels_second(shape, memory::format_tag::any); }

memory::desc matrix(int64_t rows, int64_t columns, bool transposed) {
  return memory::desc({rows, columns}, memory::data_type::f32,
                      transposed ? memory::format_tag::ba : memory::format_tag::ab);
}

memory::desc vector(int64_t extent) { return memory::desc({extent}, memory::data_type::f32, memory::format_tag::a); }

Call::Call(const dnnl::primitive& primitive, const std::vector<std::pair<int, memory::desc>>& arguments)
    : primitive_(primitive) {
  for (const auto& [argument, description] : arguments) {
    memories_.emplace_back(description, cpu(), nullptr);
    arguments_.push_back({argument, memories_.back().get()});
  }
}

void Call::run(std::initializer_list<const void*> data) {
  // Setting a handle can clear padding in blocked layouts, so it is done only when the address is new.
  for (size_t i = 0; const void* address : data) {
    memory& target = memories_[i++];
    if (target.get_data_handle() != address) {
      target.set_data_handle(const_cast<void*>(address));
    }
  }
  dnnl::error::wrap_c_api(dnnl_primitive_execute(primitive_.get(), processor().stream.get(),
                                                 static_cast<int>(arguments_.size()), arguments_.data()),
                          "could not execute a primitive");
}

Reorder::Reorder(const memory::desc& from, const memory::desc& to) : empty_(from == to) {
  if (!empty_) {
    const dnnl::reorder::primitive_desc description(cpu(), from, cpu(), to, caller_scratchpad());
    call_ = Call(dnnl::reorder(description),
                 {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}, {DNNL_ARG_SCRATCHPAD, description.scratchpad_desc()}});
    scratchpad_bytes_ = static_cast<int64_t>(description.scratchpad_desc().get_size());
  }
}

MatrixProduct::MatrixProduct(const MatrixShape& shape) : shape_(shape) {
  // Of a part: each sums a whole c, or brings all of b into the order it reads.
  const int64_t least_rows = shape.a_transposed ? std::max(shape.m, shape.n) : 256;
  calls_.resize(static_cast<size_t>(std::clamp<int64_t>(rows() / least_rows, 1, thread_count())));
  const memory::desc bias({1, shape.n}, memory::data_type::f32, memory::format_tag::ab);
  dnnl::primitive product;
  std::vector<std::pair<int, memory::desc>> arguments;
  int64_t made_for = 0;  // rows: parts of as many share it
  for (size_t part = 0; part < calls_.size(); ++part) {
    if (const int64_t rows = first_row(part + 1) - first_row(part); rows != made_for) {
      made_for = rows;
      const memory::desc a = shape.a_transposed ? matrix(shape.m, rows, true) : matrix(rows, shape.k, false);
      const memory::desc given = matrix(shape.a_transposed ? rows : shape.k, shape.n, shape.b_transposed);
      const memory::desc wanted =
          shape.b_kept ? memory::desc(given.dims(), given.data_type(), memory::format_tag::any) : given;
      const memory::desc c = matrix(shape.a_transposed ? shape.m : rows, shape.n, false);
      const dnnl::matmul::primitive_desc description(
          shape.bias ? dnnl::matmul::desc(a, wanted, bias, c) : dnnl::matmul::desc(a, wanted, c),
          caller_scratchpad(shape.epilogue), cpu());
      const memory::desc b = description.weights_desc();
      if (shape.b_kept) {
        reorder_ = Reorder(given, b);
        kept_bytes_ = aligned_bytes(b);
      }
      product = dnnl::matmul(description);
      arguments = {{DNNL_ARG_SRC, a},
                   {DNNL_ARG_WEIGHTS, b},
                   {DNNL_ARG_DST, c},
                   {DNNL_ARG_SCRATCHPAD, description.scratchpad_desc()}};
      if (shape.bias) {
        arguments.emplace_back(DNNL_ARG_BIAS, bias);
      }
      scratchpad_bytes_ = std::max(scratchpad_bytes_, aligned_bytes(description.scratchpad_desc()));
    }
    calls_[part] = Call(product, arguments);
  }
  if (shape.a_transposed && calls_.size() > 1) {
    sum_bytes_ = aligned_bytes(matrix(shape.m, shape.n, false));
  }
}

void MatrixProduct::keep(const float* b, std::byte* kept) {
  if (reorder_.empty()) {
    std::copy_n(b, shape_.k * shape_.n, reinterpret_cast<float*>(kept));
  } else {
    const Block scratchpad(reorder_.scratchpad_bytes());
    reorder_.run(b, kept, scratchpad.data());
  }
}

void MatrixProduct::run(const float* a, const float* b, const float* bias, float* c, void* workspace) {
  const auto own = [&](size_t part) {
    return static_cast<std::byte*>(workspace) + static_cast<int64_t>(part) * own_bytes();
  };
  const auto sums = [&](size_t part) {
    return part == 0 ? c : reinterpret_cast<float*>(own(part) + scratchpad_bytes_);
  };
  const auto run_part = [&](size_t part) {
    const int64_t row = first_row(part);
    if (shape_.a_transposed) {
      calls_[part].run({a + row * shape_.m, b + row * shape_.n, sums(part), own(part)});
    } else if (shape_.bias) {
      calls_[part].run({a + row * shape_.k, b, c + row * shape_.n, own(part), bias});
    } else {
      calls_[part].run({a + row * shape_.k, b, c + row * shape_.n, own(part)});
    }
  };
  if (calls_.size() == 1) {  // shared out by oneDNN
    run_part(0);
    return;
  }
  take_over(static_cast<std::byte*>(workspace), static_cast<int64_t>(calls_.size()), own_bytes(),
            scratchpad_bytes_ + sum_bytes_, sum_bytes_ > 0);
  // Inside such a loop a call runs on the thread that makes it.
  parallel_for(static_cast<int64_t>(calls_.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t part = begin; part < end; ++part) {
      run_part(static_cast<size_t>(part));
    }
  });
  if (sum_bytes_ > 0) {
    add_up_parts(c, shape_.m * shape_.n, static_cast<int64_t>(calls_.size()),
                 [&](int64_t part) { return sums(static_cast<size_t>(part)); });
  }
}

}  // namespace fer::onednn

namespace fer {

namespace {

std::mutex sharing;
int sharers = 0;

// Adds to the number of those who share. Without any, oneDNN's cache forgets what it holds.
void add_sharers(int more) {
  onednn::cpu();
  const std::lock_guard lock(sharing);
  sharers += more;
  constexpr int all = 1 << 16;
  dnnl::set_primitive_cache_capacity(sharers > 0 ? all : 0);
}

}  // namespace

SharedPreparation::SharedPreparation() { add_sharers(1); }
SharedPreparation::~SharedPreparation() { add_sharers(-1); }

}  // namespace fer
