// Winograd's minimal filtering of m outputs with r taps, F(m, r), in one dimension: the five linear maps of which the
// convolution y = A^T [(G g) * (B^T d)] and its gradients are made (Lavin and Gray, 2015). Applied to rows and columns
// they serve r x r kernels. Interpolated at 0, 1/sqrt(2), -1/sqrt(2), infinity and, for F(3, 3), 2, for F(4, 3) and
// F(2, 5), sqrt(2) and -sqrt(2): that loses 2.4 times less to rounding than the usual 0, 1, -1, 2, -2. For F(2, 3) the
// inputs are the two at the outputs' places, with zeros around them: an image's whole extent.
#pragma once

#include <numbers>

namespace fer {

// From `inputs` numbers to `points` products to `outputs` numbers. The maps are elementwise over a register V of
// floats.
template <int m, int r>
struct Winograd;

template <>
struct Winograd<2, 3> {
  static constexpr int outputs = 2, taps = 3, inputs = 2, points = 3;

  // B^T d
  template <class V>
  static inline void input(const V* d, V* v) {
    v[0] = d[0];
    v[1] = d[0] + d[1];
    v[2] = d[1];
  }

  // G g
  template <class V>
  static inline void weights(const V* g, V* u) {
    u[0] = g[0] - g[1];
    u[1] = g[1];
    u[2] = g[2] - g[1];
  }

  // A^T m
  template <class V>
  static inline void output(const V* m, V* y) {
    y[0] = m[1] + m[2];
    y[1] = m[0] + m[1];
  }

  // A dy
  template <class V>
  static inline void cotangent(const V* dy, V* d) {
    d[0] = dy[1];
    d[1] = dy[0] + dy[1];
    d[2] = dy[0];
  }

  // G^T m
  template <class V>
  static inline void weight_gradient(const V* m, V* g) {
    g[0] = m[0];
    g[1] = m[1] - m[0] - m[2];
    g[2] = m[2];
  }
};

template <>
struct Winograd<3, 3> {
  static constexpr int outputs = 3, taps = 3, inputs = 5, points = 5;
  static constexpr float root = 1 / std::numbers::sqrt2_v<float>;

  template <class V>
  static inline void input(const V* d, V* v) {
    const V a = d[3] - 2 * d[2], b = root * (d[2] - 2 * d[1]);
    v[0] = d[0] - 0.5F * d[1] - 2 * d[2] + d[3];
    v[1] = a + b;
    v[2] = a - b;
    v[3] = d[3] - 0.5F * d[1];
    v[4] = d[1] - 0.5F * d[2] - 2 * d[3] + d[4];
  }

  template <class V>
  static inline void weights(const V* g, V* u) {
    const V s = g[0] + 0.5F * g[2], t = root * g[1];
    u[0] = g[0];
    u[1] = (s + t) * (1 / (root - 2));
    u[2] = (s - t) * (1 / (-root - 2));
    u[3] = (g[0] + 2 * g[1] + 4 * g[2]) * (1 / 7.0F);
    u[4] = g[2];
  }

  template <class V>
  static inline void output(const V* m, V* y) {
    const V s = m[1] + m[2], d = root * (m[1] - m[2]);
    y[0] = m[0] + s + m[3];
    y[1] = d + 2 * m[3];
    y[2] = 0.5F * s + 4 * m[3] + m[4];
  }

  template <class V>
  static inline void cotangent(const V* dy, V* d) {
    const V s = dy[0] + 0.5F * dy[2], t = root * dy[1];
    d[0] = dy[0];
    d[1] = s + t;
    d[2] = s - t;
    d[3] = dy[0] + 2 * dy[1] + 4 * dy[2];
    d[4] = dy[2];
  }

  template <class V>
  static inline void weight_gradient(const V* m, V* g) {
    const V a = m[1] * (1 / (root - 2)), b = m[2] * (1 / (-root - 2)), c = m[3] * (1 / 7.0F);
    g[0] = m[0] + a + b + c;
    g[1] = root * (a - b) + 2 * c;
    g[2] = 0.5F * (a + b) + 4 * c + m[4];
  }
};

template <>
struct Winograd<4, 3> {
  static constexpr int outputs = 4, taps = 3, inputs = 6, points = 6;
  static constexpr float root = std::numbers::sqrt2_v<float>;

  template <class V>
  static inline void input(const V* d, V* v) {
    const V a = d[4] - 2 * d[2], b = root * (0.5F * d[3] - d[1]);
    const V p = d[4] - 0.5F * d[2], q = root * (d[3] - 0.5F * d[1]);
    v[0] = d[0] - 2.5F * d[2] + d[4];
    v[1] = a + b;
    v[2] = a - b;
    v[3] = p + q;
    v[4] = p - q;
    v[5] = d[1] - 2.5F * d[3] + d[5];
  }

  template <class V>
  static inline void weights(const V* g, V* u) {
    const V a = (g[0] + 0.5F * g[2]) * (-1 / 1.5F), b = g[1] * (root / -3);
    const V p = (g[0] + 2 * g[2]) * (1 / 6.0F), q = g[1] * (root / 6);
    u[0] = g[0];
    u[1] = a + b;
    u[2] = a - b;
    u[3] = p + q;
    u[4] = p - q;
    u[5] = g[2];
  }

  template <class V>
  static inline void output(const V* m, V* y) {
    const V s = m[1] + m[2], d = root * (m[1] - m[2]), t = m[3] + m[4], e = root * (m[3] - m[4]);
    y[0] = m[0] + s + t;
    y[1] = 0.5F * d + e;
    y[2] = 0.5F * s + 2 * t;
    y[3] = 0.25F * d + 2 * e + m[5];
  }

  template <class V>
  static inline void cotangent(const V* dy, V* d) {
    const V a = dy[0] + 0.5F * dy[2], b = root * (0.5F * dy[1] + 0.25F * dy[3]);
    const V p = dy[0] + 2 * dy[2], q = root * (dy[1] + 2 * dy[3]);
    d[0] = dy[0];
    d[1] = a + b;
    d[2] = a - b;
    d[3] = p + q;
    d[4] = p - q;
    d[5] = dy[3];
  }

  template <class V>
  static inline void weight_gradient(const V* m, V* g) {
    const V s = (m[1] + m[2]) * (-1 / 1.5F), d = (m[1] - m[2]) * (root / -3);
    const V t = (m[3] + m[4]) * (1 / 6.0F), e = (m[3] - m[4]) * (root / 6);
    g[0] = m[0] + s + t;
    g[1] = d + e;
    g[2] = 0.5F * s + 2 * t + m[5];
  }
};

template <>
struct Winograd<2, 5> {
  static constexpr int outputs = 2, taps = 5, inputs = 6, points = 6;
  static constexpr float root = std::numbers::sqrt2_v<float>;

  template <class V>
  static inline void input(const V* d, V* v) {
    Winograd<4, 3>::input(d, v);
  }

  template <class V>
  static inline void weights(const V* g, V* u) {
    const V a = (g[0] + 0.5F * g[2] + 0.25F * g[4]) * (-1 / 1.5F), b = (g[1] + 0.5F * g[3]) * (root / -3);
    const V p = (g[0] + 2 * g[2] + 4 * g[4]) * (1 / 6.0F), q = (g[1] + 2 * g[3]) * (root / 6);
    u[0] = g[0];
    u[1] = a + b;
    u[2] = a - b;
    u[3] = p + q;
    u[4] = p - q;
    u[5] = g[4];
  }

  template <class V>
  static inline void output(const V* m, V* y) {
    y[0] = m[0] + m[1] + m[2] + m[3] + m[4];
    y[1] = root * (0.5F * (m[1] - m[2]) + (m[3] - m[4])) + m[5];
  }

  template <class V>
  static inline void cotangent(const V* dy, V* d) {
    const V b = root * 0.5F * dy[1], q = root * dy[1];
    d[0] = dy[0];
    d[1] = dy[0] + b;
    d[2] = dy[0] - b;
    d[3] = dy[0] + q;
    d[4] = dy[0] - q;
    d[5] = dy[1];
  }

  template <class V>
  static inline void weight_gradient(const V* m, V* g) {
    const V s = (m[1] + m[2]) * (-1 / 1.5F), d = (m[1] - m[2]) * (root / -3);
    const V t = (m[3] + m[4]) * (1 / 6.0F), e = (m[3] - m[4]) * (root / 6);
    g[0] = m[0] + s + t;
    g[1] = d + e;
    g[2] = 0.5F * s + 2 * t;
    g[3] = 0.5F * d + 2 * e;
    g[4] = 0.25F * s + 4 * t + m[5];
  }
};

// Applies a transform of `in` to `out` numbers to the columns of a matrix, then to the rows: load(i, j) gives its
// elements, store(i, j, value) takes the result's.
template <class V, int in, int out, class Transform, class Load, class Store>
inline void transform_rows_and_columns(Transform&& transform, Load&& load, Store&& store) {
  V half[out][in], from[in], to[out];
#pragma GCC unroll 8
  for (int j = 0; j < in; ++j) {
#pragma GCC unroll 8
    for (int i = 0; i < in; ++i) {
      from[i] = load(i, j);
    }
    transform(from, to);
#pragma GCC unroll 8
    for (int i = 0; i < out; ++i) {
      half[i][j] = to[i];
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < out; ++i) {
    transform(half[i], to);
#pragma GCC unroll 8
    for (int j = 0; j < out; ++j) {
      store(i, j, to[j]);
    }
  }
}

}  // namespace fer
