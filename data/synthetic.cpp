#include <algorithm>
#include <array>

#include "data/class_names.h"
#include "data/dataset.h"
#include "data/face.h"
#include "tensor/parallel.h"
#include "tensor/philox.h"

namespace fer {

namespace {

constexpr int side = 48;
constexpr int64_t expressions = 7;
// Three subjects take turns, twenty faces each; every third face, one subject of each three, is for the final test.
constexpr int64_t subjects_in_turn = 3;
constexpr int64_t faces_per_subject = 20;

constexpr uint32_t identity_stream = 0x464D414E;
constexpr uint32_t face_stream = 0x46414345;

int64_t subject_of(int64_t face) {
  return face / (subjects_in_turn * faces_per_subject) * subjects_in_turn + face % subjects_in_turn;
}

int32_t expression_of(int64_t face) { return static_cast<int32_t>(face / subjects_in_turn % expressions); }

void paint_background(Canvas& canvas, RandomSequence& random) {
  for (int i = 0; i < 4; ++i) {
    const Point centre{random.uniform(0, side), random.uniform(0, side)};
    canvas.spot(centre, random.uniform(8, 40), random.uniform(8, 40), random.uniform(-0.5f, 0.5f),
                random.uniform(-0.3f, 0.3f));
  }
  // Shoulders.
  const float top = random.uniform(40, 47);
  const std::array<Point, 6> clothes{{{-2, top + 5}, {14, top}, {34, top}, {50, top + 5}, {50, 50}, {-2, 50}}};
  canvas.fill(clothes, random.uniform(0.05f, 0.9f));
}

// Something in front of the face, in one of eight: a bar, or a hand-sized patch near the edge.
void paint_occlusion(Canvas& canvas, RandomSequence& random) {
  if (random.uniform() >= 0.125f) {
    return;
  }
  const float grey = random.uniform(0.05f, 0.95f);
  if (random.uniform() < 0.5f) {
    const std::array<Point, 2> bar{
        {{random.uniform(-5, side), random.uniform() < 0.5f ? -3.0f : 20.0f}, {random.uniform(0, side), 51}}};
    const float width = random.uniform(2, 5);
    canvas.stroke(bar, width, width, width, grey);
  } else {
    const float x = random.uniform() < 0.5f ? random.uniform(2, 14) : random.uniform(34, 46);
    const float y = random.uniform(8, 46);
    const float w = random.uniform(4, 8);
    const float h = random.uniform(5, 10);
    const float slant = random.uniform(-4, 4);
    const std::array<Point, 6> patch{{{x - w, y - 0.5f * h},
                                      {x + slant, y - h},
                                      {x + w, y - 0.4f * h},
                                      {x + w, y + 0.6f * h},
                                      {x - slant, y + h},
                                      {x - w, y + 0.5f * h}}};
    canvas.fill(patch, grey);
  }
}

// Uneven light, contrast, noise; then 8 bits.
void photograph(Canvas& canvas, RandomSequence& random, const Philox& grain, uint8_t* pixels) {
  canvas.blur(random.uniform(0.1f, 0.25f), 1 + static_cast<int>(random.below(4) == 0));
  const float slope_x = random.uniform(-0.3f, 0.3f) / side;
  const float slope_y = random.uniform(-0.3f, 0.3f) / side;
  const float contrast = random.uniform(0.75f, 1.25f);
  const float brightness = random.uniform(-0.08f, 0.1f);
  const float noise = 0.004f + 0.036f * random.uniform() * random.uniform();
  const std::span<float> greys = canvas.pixels();
  for (size_t i = 0; i < greys.size(); i += 4) {
    const std::array<uint32_t, 4> bits = grain.block(i / 4);
    for (size_t j = 0; j < 4; ++j) {
      const float x = static_cast<float>((i + j) % side) - side / 2;
      const float y = static_cast<float>((i + j) / side) - side / 2;
      // The sum of four bytes is nearly normal: mean 510, standard deviation 147.8.
      const uint32_t sum = (bits[j] & 255) + (bits[j] >> 8 & 255) + (bits[j] >> 16 & 255) + (bits[j] >> 24);
      const float normal = (static_cast<float>(sum) - 510.0f) / 147.8f;
      const float lit = greys[i + j] * (1 + slope_x * x + slope_y * y);
      const float grey = 0.45f + (lit - 0.45f) * contrast + brightness + noise * normal;
      pixels[i + j] = static_cast<uint8_t>(std::clamp(grey, 0.0f, 1.0f) * 255 + 0.5f);
    }
  }
}

void draw_sample(int64_t face, uint64_t seed, uint8_t* pixels) {
  const Philox philox(seed, face_stream, static_cast<uint64_t>(face));
  RandomSequence of_subject(Philox(seed, identity_stream, static_cast<uint64_t>(subject_of(face))));
  const FaceIdentity identity(of_subject);
  RandomSequence random(philox);
  const ActionUnits units = draw_expression(expression_of(face), identity, random);
  const FacePose pose(random);
  Canvas canvas(side, side, random.uniform(0.1f, 0.9f));
  paint_background(canvas, random);
  draw_face(canvas, identity, units, pose);
  paint_occlusion(canvas, random);
  photograph(canvas, random, Philox(seed, face_stream + 1, static_cast<uint64_t>(face)), pixels);
}

}  // namespace

Dataset synthetic_faces(int64_t count, uint64_t seed) {
  if (count < 1) {
    fail("synthetic_faces: ", count, " faces, expected 1 or more");
  }
  Dataset dataset;
  dataset.classes = fer2013_classes();
  dataset.images = Tensor(DType::u8, {count, side, side, 1});
  dataset.labels = Tensor(DType::i32, {count});
  parallel_for(count, 8, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      draw_sample(i, seed, dataset.images.data<uint8_t>() + i * side * side);
      dataset.labels.data<int32_t>()[i] = expression_of(i);
    }
  });
  for (int64_t i = 0; i < count; ++i) {
    const bool held_back = i % subjects_in_turn == subjects_in_turn - 1;
    dataset.parts.push_back(held_back ? Part::private_test : Part::train);
    dataset.subjects.push_back("F" + std::to_string(subject_of(i)));
    dataset.names.push_back("face " + std::to_string(i));
  }
  dataset.metadata["source"] = "synthetic:" + std::to_string(count);
  dataset.metadata["seed"] = std::to_string(seed);
  return dataset;
}

}  // namespace fer
