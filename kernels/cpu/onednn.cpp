#include "kernels/onednn.h"

namespace fer::onednn {

namespace {

using dnnl::memory;

struct Processor {
  Processor() : engine(dnnl::engine::kind::cpu, 0), stream(engine) {
    // Kernels hold the primitives they need; a cache would only keep dead ones resident.
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

MatrixProduct::MatrixProduct(const MatrixShape& shape) : bias_(shape.bias) {
  const memory::desc a = matrix(shape.m, shape.k, shape.a_transposed);
  const memory::desc b = matrix(shape.k, shape.n, shape.b_transposed);
  const memory::desc c = matrix(shape.m, shape.n, false);
  const memory::desc bias({1, shape.n}, memory::data_type::f32, memory::format_tag::ab);
  const dnnl::matmul::desc product = bias_ ? dnnl::matmul::desc(a, b, bias, c) : dnnl::matmul::desc(a, b, c);
  const dnnl::matmul::primitive_desc description(product, caller_scratchpad(shape.epilogue), cpu());
  std::vector<std::pair<int, memory::desc>> arguments{{DNNL_ARG_SRC, a},
                                                      {DNNL_ARG_WEIGHTS, b},
                                                      {DNNL_ARG_DST, c},
                                                      {DNNL_ARG_SCRATCHPAD, description.scratchpad_desc()}};
  if (bias_) {
    arguments.push_back({DNNL_ARG_BIAS, bias});
  }
  call_ = Call(dnnl::matmul(description), arguments);
  scratchpad_bytes_ = aligned_bytes(description.scratchpad_desc());
}

void MatrixProduct::run(const float* a, const float* b, const float* bias, float* c, void* scratchpad) {
  if (bias_) {
    call_.run({a, b, c, scratchpad, bias});
  } else {
    call_.run({a, b, c, scratchpad});
  }
}

}  // namespace fer::onednn
