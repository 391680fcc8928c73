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

// Interpolation at so many points, the last of them infinity: the values that a polynomial of k coefficients has there,
// and the transpose of that map; `scaled`, for weights: over the products of each point's distances from the others.

// 0, 1/sqrt(2), -1/sqrt(2), 2 and infinity; three coefficients.
struct FivePoints {
  static constexpr int points = 5;
  static constexpr float root = 1 / std::numbers::sqrt2_v<float>;

  // B^T d
  template <class V>
  static inline void input(const V* d, V* v) {
    const V a = d[3] - 2 * d[2], b = root * (d[2] - 2 * d[1]);
    v[0] = d[0] - 0.5F * d[1] - 2 * d[2] + d[3];
    v[1] = a + b;
    v[2] = a - b;
    v[3] = d[3] - 0.5F * d[1];
    v[4] = d[1] - 0.5F * d[2] - 2 * d[3] + d[4];
  }

  template <int k, bool scaled, class V>
  static inline void values(const V* c, V* v) {
    static_assert(k == 3);
    const V even = c[0] + 0.5F * c[2], odd = root * c[1];
    const V from[] = {c[0], even + odd, even - odd, c[0] + 2 * c[1] + 4 * c[2], c[2]};
    scale<scaled>(from, v);
  }

  template <int k, bool scaled, class V>
  static inline void transposed(const V* from, V* c) {
    static_assert(k == 3);
    V v[points];
    scale<scaled>(from, v);
    const V even = v[1] + v[2], odd = root * (v[1] - v[2]);
    c[0] = v[0] + even + v[3];
    c[1] = odd + 2 * v[3];
    c[2] = 0.5F * even + 4 * v[3] + v[4];
  }

 private:
  template <bool scaled, class V>
  static inline void scale(const V* from, V* to) {
    to[0] = from[0];
    to[1] = scaled ? from[1] * (1 / (root - 2)) : from[1];
    to[2] = scaled ? from[2] * (1 / (-root - 2)) : from[2];
    to[3] = scaled ? from[3] * (1 / 7.0F) : from[3];
    to[4] = from[4];
  }
};

// 0, 1/sqrt(2), -1/sqrt(2), sqrt(2), -sqrt(2) and infinity; two to five coefficients.
struct SixPoints {
  static constexpr int points = 6;
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

  template <int k, bool scaled, class V>
  static inline void values(const V* c, V* v) {
    V a = c[0], b = c[1], p = c[0], q = c[1];
    if constexpr (k > 2) {
      a += 0.5F * c[2];
      p += 2 * c[2];
    }
    if constexpr (k > 3) {
      b += 0.5F * c[3];
      q += 2 * c[3];
    }
    if constexpr (k > 4) {
      a += 0.25F * c[4];
      p += 4 * c[4];
    }
    scale<scaled>(a, b, p, q);
    v[0] = c[0];
    v[1] = a + b;
    v[2] = a - b;
    v[3] = p + q;
    v[4] = p - q;
    v[5] = c[k - 1];
  }

  template <int k, bool scaled, class V>
  static inline void transposed(const V* v, V* c) {
    V a = v[1] + v[2], b = v[1] - v[2], p = v[3] + v[4], q = v[3] - v[4];
    scale<scaled>(a, b, p, q);
    c[0] = v[0] + a + p;
    c[1] = b + q;
    if constexpr (k > 2) {
      c[2] = 0.5F * a + 2 * p;
    }
    if constexpr (k > 3) {
      c[3] = 0.5F * b + 2 * q;
    }
    if constexpr (k > 4) {
      c[4] = 0.25F * a + 4 * p;
    }
    c[k - 1] += v[5];
  }

 private:
  template <bool scaled, class V>
  static inline void scale(V& a, V& b, V& p, V& q) {
    if constexpr (scaled) {
      a *= -1 / 1.5F;
      p *= 1 / 6.0F;
    }
    b *= scaled ? root / -3 : root / 2;
    q *= scaled ? root / 6 : root;
  }
};

template <class Points, int m, int r>
struct Interpolated {
  static constexpr int outputs = m, taps = r, inputs = Points::points, points = Points::points;
  static_assert(m + r - 1 == points);

  template <class V>
  static inline void input(const V* d, V* v) {
    Points::input(d, v);
  }

  template <class V>
  static inline void weights(const V* g, V* u) {
    Points::template values<r, true>(g, u);
  }

  template <class V>
  static inline void output(const V* products, V* y) {
    Points::template transposed<m, false>(products, y);
  }

  template <class V>
  static inline void cotangent(const V* dy, V* d) {
    Points::template values<m, false>(dy, d);
  }

  template <class V>
  static inline void weight_gradient(const V* products, V* g) {
    Points::template transposed<r, true>(products, g);
  }
};

template <>
struct Winograd<3, 3> : Interpolated<FivePoints, 3, 3> {};
template <>
struct Winograd<4, 3> : Interpolated<SixPoints, 4, 3> {};
template <>
struct Winograd<2, 5> : Interpolated<SixPoints, 2, 5> {
  // With one product less than the general map, and one rounding.
  template <class V>
  static inline void output(const V* m, V* y) {
    y[0] = m[0] + m[1] + m[2] + m[3] + m[4];
    y[1] = root * (0.5F * (m[1] - m[2]) + (m[3] - m[4])) + m[5];
  }

 private:
  static constexpr float root = SixPoints::root;
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
