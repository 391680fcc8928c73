// Winograd's minimal filtering of m outputs with 3 taps, F(m, 3), in one dimension: the five linear maps of which the
// convolution y = A^T [(G g) * (B^T d)] and its gradients are made (Lavin and Gray, 2015; interpolated at 0, 1, -1, 2,
// -2, for m = 5 also 1/2, for m = 6 also 1/2 and -1/2, and infinity). Applied to rows and columns they serve 3x3
// kernels.
#pragma once

namespace fer {

// The maps are elementwise over a register V of T.
template <int m, class T>
struct Winograd;

template <class T>
struct Winograd<4, T> {
  static constexpr int outputs = 4, inputs = 6;

  // B^T d
  template <class V>
  static inline void input(const V* d, V* v) {
    const V a = d[4] - 4.0 * d[2], b = d[3] - 4.0 * d[1];
    const V p = d[4] - d[2], q = 2.0 * (d[3] - d[1]);
    v[0] = 4.0 * d[0] - 5.0 * d[2] + d[4];
    v[1] = a + b;
    v[2] = a - b;
    v[3] = p + q;
    v[4] = p - q;
    v[5] = 4.0 * d[1] - 5.0 * d[3] + d[5];
  }

  // G g
  template <class V>
  static inline void weights(const V* g, V* u) {
    const V a = (g[0] + g[2]) * T(-1.0 / 6), b = g[1] * T(-1.0 / 6);
    const V p = g[0] * T(1.0 / 24) + g[2] * T(1.0 / 6), q = g[1] * T(1.0 / 12);
    u[0] = g[0] * 0.25;
    u[1] = a + b;
    u[2] = a - b;
    u[3] = p + q;
    u[4] = p - q;
    u[5] = g[2];
  }

  // A^T m
  template <class V>
  static inline void output(const V* m, V* y) {
    const V s = m[1] + m[2], d = m[1] - m[2], t = m[3] + m[4], e = m[3] - m[4];
    y[0] = m[0] + s + t;
    y[1] = d + 2.0 * e;
    y[2] = s + 4.0 * t;
    y[3] = d + 8.0 * e + m[5];
  }

  // A dy
  template <class V>
  static inline void cotangent(const V* dy, V* d) {
    const V a = dy[0] + dy[2], b = dy[1] + dy[3];
    const V p = dy[0] + 4.0 * dy[2], q = 2.0 * dy[1] + 8.0 * dy[3];
    d[0] = dy[0];
    d[1] = a + b;
    d[2] = a - b;
    d[3] = p + q;
    d[4] = p - q;
    d[5] = dy[3];
  }

  // G^T m
  template <class V>
  static inline void weight_gradient(const V* m, V* g) {
    const V s = m[1] + m[2], d = m[1] - m[2], t = m[3] + m[4], e = m[3] - m[4];
    g[0] = 0.25 * m[0] - s * T(1.0 / 6) + t * T(1.0 / 24);
    g[1] = e * T(1.0 / 12) - d * T(1.0 / 6);
    g[2] = m[5] + (t - s) * T(1.0 / 6);
  }
};

template <>
struct Winograd<5, double> {
  static constexpr int outputs = 5, inputs = 7;

  template <class V>
  static inline void input(const V* d, V* v) {
    v[0] = d[0] - 2.0 * d[1] - 1.25 * d[2] + 2.5 * d[3] + 0.25 * d[4] - 0.5 * d[5];
    v[1] = 2.0 * (d[1] - d[2]) - 4.5 * d[3] + 0.5 * d[4] + d[5];
    v[2] = 6.0 * d[2] - 2.0 * d[1] - 3.5 * d[3] - 1.5 * d[4] + d[5];
    v[3] = d[1] + 1.5 * (d[4] - d[2]) - 2.0 * d[3] + d[5];
    v[4] = 2.5 * (d[2] - d[4]) - d[1] + d[5];
    v[5] = 4.0 * d[1] - 5.0 * d[3] + d[5];
    v[6] = 4.0 * d[2] - 2.0 * d[1] + 2.5 * d[3] - 5.0 * d[4] - 0.5 * d[5] + d[6];
  }

  template <class V>
  static inline void weights(const V* g, V* u) {
    const V s = g[0] + g[2], t = g[0] + 4.0 * g[2];
    u[0] = g[0];
    u[1] = (s + g[1]) * (-1.0 / 3);
    u[2] = (s - g[1]) * (1.0 / 9);
    u[3] = (t + 2.0 * g[1]) * (1.0 / 36);
    u[4] = (t - 2.0 * g[1]) * (-1.0 / 60);
    u[5] = (g[0] + 0.5 * g[1] + 0.25 * g[2]) * (32.0 / 45);
    u[6] = g[2];
  }

  template <class V>
  static inline void output(const V* m, V* y) {
    const V s = m[1] + m[2], d = m[1] - m[2], t = m[3] + m[4], e = m[3] - m[4];
    y[0] = m[0] + s + t + m[5];
    y[1] = d + 2.0 * e + 0.5 * m[5];
    y[2] = s + 4.0 * t + 0.25 * m[5];
    y[3] = d + 8.0 * e + 0.125 * m[5];
    y[4] = s + 16.0 * t + 0.0625 * m[5] + m[6];
  }

  template <class V>
  static inline void cotangent(const V* dy, V* d) {
    const V a = dy[0] + dy[2] + dy[4], b = dy[1] + dy[3];
    const V p = dy[0] + 4.0 * dy[2] + 16.0 * dy[4], q = 2.0 * dy[1] + 8.0 * dy[3];
    d[0] = dy[0];
    d[1] = a + b;
    d[2] = a - b;
    d[3] = p + q;
    d[4] = p - q;
    d[5] = dy[0] + 0.5 * dy[1] + 0.25 * dy[2] + 0.125 * dy[3] + 0.0625 * dy[4];
    d[6] = dy[4];
  }

  template <class V>
  static inline void weight_gradient(const V* m, V* g) {
    const V a = m[1] * (-1.0 / 3), b = m[2] * (1.0 / 9), p = m[3] * (1.0 / 36), q = m[4] * (-1.0 / 60);
    const V r = m[5] * (32.0 / 45);
    g[0] = m[0] + a + b + p + q + r;
    g[1] = a - b + 2.0 * (p - q) + 0.5 * r;
    g[2] = a + b + 4.0 * (p + q) + 0.25 * r + m[6];
  }
};

template <>
struct Winograd<6, double> {
  static constexpr int outputs = 6, inputs = 8;

  template <class V>
  static inline void input(const V* d, V* v) {
    const V a = d[2] + d[6] - 4.25 * d[4], b = d[1] + d[5] - 4.25 * d[3];
    const V p = d[6] + 0.25 * d[2] - 1.25 * d[4], q = 0.5 * d[1] - 2.5 * d[3] + 2.0 * d[5];
    const V r = d[6] + 4.0 * d[2] - 5.0 * d[4], s = 2.0 * d[1] - 2.5 * d[3] + 0.5 * d[5];
    v[0] = d[0] - d[6] + 5.25 * (d[4] - d[2]);
    v[1] = a + b;
    v[2] = a - b;
    v[3] = p + q;
    v[4] = p - q;
    v[5] = r + s;
    v[6] = r - s;
    v[7] = d[7] - d[1] + 5.25 * (d[3] - d[5]);
  }

  template <class V>
  static inline void weights(const V* g, V* u) {
    const V a = (g[0] + g[2]) * (-2.0 / 9), b = g[1] * (-2.0 / 9);
    const V p = g[0] * (1.0 / 90) + g[2] * (2.0 / 45), q = g[1] * (1.0 / 45);
    const V r = g[0] * (32.0 / 45) + g[2] * (8.0 / 45), s = g[1] * (16.0 / 45);
    u[0] = g[0];
    u[1] = a + b;
    u[2] = a - b;
    u[3] = p + q;
    u[4] = p - q;
    u[5] = r + s;
    u[6] = r - s;
    u[7] = g[2];
  }

  template <class V>
  static inline void output(const V* m, V* y) {
    const V s = m[1] + m[2], d = m[1] - m[2], t = m[3] + m[4], e = m[3] - m[4], u = m[5] + m[6], f = m[5] - m[6];
    y[0] = m[0] + s + t + u;
    y[1] = d + 2.0 * e + 0.5 * f;
    y[2] = s + 4.0 * t + 0.25 * u;
    y[3] = d + 8.0 * e + 0.125 * f;
    y[4] = s + 16.0 * t + 0.0625 * u;
    y[5] = d + 32.0 * e + 0.03125 * f + m[7];
  }

  template <class V>
  static inline void cotangent(const V* dy, V* d) {
    const V a = dy[0] + dy[2] + dy[4], b = dy[1] + dy[3] + dy[5];
    const V p = dy[0] + 4.0 * dy[2] + 16.0 * dy[4], q = 2.0 * dy[1] + 8.0 * dy[3] + 32.0 * dy[5];
    const V r = dy[0] + 0.25 * dy[2] + 0.0625 * dy[4], s = 0.5 * dy[1] + 0.125 * dy[3] + 0.03125 * dy[5];
    d[0] = dy[0];
    d[1] = a + b;
    d[2] = a - b;
    d[3] = p + q;
    d[4] = p - q;
    d[5] = r + s;
    d[6] = r - s;
    d[7] = dy[5];
  }

  template <class V>
  static inline void weight_gradient(const V* m, V* g) {
    const V s = m[1] + m[2], d = m[1] - m[2], t = m[3] + m[4], e = m[3] - m[4], u = m[5] + m[6], f = m[5] - m[6];
    g[0] = m[0] - s * (2.0 / 9) + t * (1.0 / 90) + u * (32.0 / 45);
    g[1] = e * (1.0 / 45) - d * (2.0 / 9) + f * (16.0 / 45);
    g[2] = m[7] - s * (2.0 / 9) + t * (2.0 / 45) + u * (8.0 / 45);
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
