#include <doctest/doctest.h>

#include <numeric>

#include "data/dataset.h"
#include "data/ferplus.h"
#include "tensor/error.h"
#include "tensor/file.h"
#include "tests/temporary_folder.h"

using namespace fer;

namespace {

// 2304 pixels: first, then first + 1, … modulo 256.
std::string pixels(int first, int count = 2304) {
  std::string text;
  for (int i = 0; i < count; ++i) {
    text += (i == 0 ? "" : " ") + std::to_string((first + i) % 256);
  }
  return text;
}

std::string row(int emotion, int first, const std::string& usage) {
  return std::to_string(emotion) + "," + pixels(first) + "," + usage + "\n";
}

Dataset read_text(const std::string& text, const DatasetOptions& options = {}) {
  const TemporaryFolder folder;
  write_file(folder / "fer.csv", text);
  return read_fer2013(folder / "fer.csv", options);
}

std::string error_for(const std::string& text) {
  return error_of([&] { read_text(text); });
}

const std::string header = "emotion,pixels,Usage\n";

Dataset with_votes(const std::string& csv, const std::string& votes, FerPlusMode mode) {
  const TemporaryFolder folder;
  write_file(folder / "votes.csv",
             "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF\n" + votes);
  return read_text(csv, {.ferplus = folder / "votes.csv", .mode = mode});
}

}  // namespace

TEST_CASE("fer2013: Kaggle's fer2013.csv") {
  const Dataset dataset =
      read_text(header + row(0, 7, "Training") + row(6, 250, "PublicTest") + row(3, 0, "PrivateTest"));
  REQUIRE(dataset.size() == 3);
  CHECK(dataset.images.shape() == Shape{3, 48, 48, 1});
  CHECK(dataset.classes == std::vector<std::string>{"angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"});
  CHECK(dataset.labels.data<int32_t>()[0] == 0);
  CHECK(dataset.labels.data<int32_t>()[1] == 6);
  CHECK(dataset.parts == std::vector<Part>{Part::train, Part::public_test, Part::private_test});
  CHECK(dataset.names == std::vector<std::string>{"row 2", "row 3", "row 4"});
  for (int i = 0; i < 2304; ++i) {
    REQUIRE(dataset.images.data<uint8_t>()[2304 + i] == (250 + i) % 256);
  }
}

TEST_CASE("fer2013: Kaggle's icml_face_data.csv, and the variations of editors") {
  const std::string icml = "emotion, Usage, pixels\n4,Training," + pixels(3) + "\n2,PrivateTest," + pixels(9) + "\n";
  const Dataset dataset = read_text(icml);
  REQUIRE(dataset.size() == 2);
  CHECK(dataset.labels.data<int32_t>()[0] == 4);
  CHECK(dataset.parts[1] == Part::private_test);
  CHECK(dataset.images.data<uint8_t>()[2304] == 9);

  const Dataset varied =
      read_text("\xEF\xBB\xBF\"emotion\",\"pixels\",\"Usage\"\r\n\"5\",\"" + pixels(1) + " \",\"Training\"\r\n\r\n");
  REQUIRE(varied.size() == 1);
  CHECK(varied.labels.data<int32_t>()[0] == 5);
  CHECK(read_text(header + "5," + pixels(1) + ",Training").size() == 1);
}

TEST_CASE("fer2013: faults are reported with file and row") {
  const std::string good = header + row(1, 0, "Training");
  CHECK(holds(error_of([] { read_fer2013("/nowhere/fer.csv"); }), "/nowhere/fer.csv", "No such file"));
  CHECK(holds(error_for(""), "fer.csv", "empty"));
  CHECK(holds(error_for(header), "no rows"));
  CHECK(holds(error_for("a,b\n1,2\n"), "row 1", "no column 'emotion'"));
  CHECK(holds(error_for("emotion,pixels\n1," + pixels(0) + "\n"), "no column 'Usage'"));
  CHECK(holds(error_for(good + "1,5 6 7"), "fer.csv: row 3", "2 fields, expected 3"));
  CHECK(holds(error_for(good + "1," + pixels(0, 2303) + ",Training\n"), "row 3", "2303 pixels, expected 2304"));
  CHECK(holds(error_for(good + "1," + pixels(0, 2305) + ",Training\n"), "row 3", "2305 pixels, expected 2304"));
  CHECK(holds(error_for(good + "1,,Training\n"), "row 3", "0 pixels"));
  CHECK(holds(error_for(good + "1,1 2 x7 4,Training\n"), "row 3", "pixel 3 is 'x7'"));
  CHECK(holds(error_for(good + "1,1 2 -7 4,Training\n"), "pixel 3 is '-7'"));
  CHECK(holds(error_for(good + "1,1 2.5 4,Training\n"), "pixel 2 is '2.5'"));
  CHECK(holds(error_for(good + "1,256 1,Training\n"), "pixel 1 is '256'", "0 to 255"));
  CHECK(holds(error_for(good + "1,1 99999999999999999999 1,Training\n"), "pixel 2 is '9999"));
  CHECK(holds(error_for(good + row(7, 0, "Training")), "row 3", "emotion '7'", "0 to 6"));
  CHECK(holds(error_for(good + row(-1, 0, "Training")), "emotion '-1'"));
  CHECK(holds(error_for(good + "x," + pixels(0) + ",Training\n"), "emotion 'x'"));
  CHECK(holds(error_for(good + row(1, 0, "Test")), "row 3", "Usage 'Test'"));
  CHECK(holds(error_for(good + "\n" + row(1, 0, "Training")), "row 3", "1 fields"));
}

TEST_CASE("fer2013: of several faulty rows the first is reported, on any number of threads") {
  std::string text = header;
  for (int i = 0; i < 1200; ++i) {
    text += i == 400 || i == 1100 ? "9,,Training\n" : row(i % 7, i, "Training");
  }
  CHECK(holds(error_for(text), "row 402"));
}

TEST_CASE("fer2013: write_csv gives back Kaggle's file") {
  const TemporaryFolder folder;
  const std::string text = header + row(0, 7, "Training") + row(6, 250, "PublicTest");
  write_csv(folder / "back.csv", read_text(text));
  CHECK(read_file(folder / "back.csv") == text);
  Dataset small = read_text(text);
  small.images = Tensor(DType::u8, {2, 2, 2, 1});
  CHECK(holds(error_of([&] { write_csv(folder / "a.csv", small); }), "48x48", "[2,2,2,1]"));
}

TEST_CASE("fer2013: open_dataset refuses what it does not know") {
  CHECK(holds(error_of([] { open_dataset("/nowhere/x"); }), "/nowhere/x", "does not exist"));
  CHECK(holds(error_of([] { open_dataset("synthetic:0"); }), "synthetic:N"));
  CHECK(holds(error_of([] { open_dataset("synthetic:5x"); }), "synthetic:N"));
  CHECK(holds(error_of([] { open_dataset("synthetic", {.mode = FerPlusMode::majority}); }), "FER+"));
  CHECK(holds(error_of([] { parse_ferplus_mode("most"); }), "'most'"));
  CHECK(parse_ferplus_mode("argmax10") == FerPlusMode::argmax10);
}

TEST_CASE("ferplus: shares of hand-made votes, by mode") {
  struct Case {
    Votes votes;
    FerPlusMode mode;
    std::optional<std::array<double, 8>> expected;
  };
  constexpr auto majority = FerPlusMode::majority;
  constexpr auto crossentropy = FerPlusMode::crossentropy;
  constexpr auto multitarget = FerPlusMode::multitarget;
  const std::vector<Case> cases{// More than half; a single vote is an outlier and does not count towards the total.
                                {{6, 4}, majority, {{1}}},
                                {{5, 5}, majority, {}},
                                {{5, 1, 1, 1, 1, 1}, majority, {{1}}},
                                {{0, 0, 0, 0, 0, 0, 0, 0, 6, 4}, majority, {}},
                                {{0, 0, 0, 0, 0, 0, 0, 0, 0, 10}, majority, {}},
                                {{0, 0, 0, 0, 0, 0, 0, 10}, majority, {{0, 0, 0, 0, 0, 0, 0, 1}}},
                                {{1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, majority, {}},
                                // The most voted up to three quarters of the votes and three classes.
                                {{8, 2}, crossentropy, {{1}}},
                                {{6, 4}, crossentropy, {{0.6, 0.4}}},
                                {{4, 3, 3}, crossentropy, {{0.4, 0.3, 0.3}}},
                                {{4, 2, 2, 2}, crossentropy, {}},
                                {{5, 0, 0, 0, 0, 0, 0, 0, 5}, crossentropy, {}},
                                {{6, 0, 0, 0, 0, 0, 0, 0, 4}, crossentropy, {{1}}},
                                {{4, 0, 0, 0, 0, 0, 0, 0, 6}, crossentropy, {}},
                                {{1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, crossentropy, {}},
                                // All with 30% or more.
                                {{3, 3, 4}, multitarget, {{0.3, 0.3, 0.4}}},
                                {{6, 2, 2}, multitarget, {{1}}},
                                {{5, 2, 0, 3}, multitarget, {{0.625, 0, 0, 0.375}}},
                                {{3, 2, 2, 3}, multitarget, {{0.5, 0, 0, 0.5}}},
                                {{2, 2, 2, 2, 2}, multitarget, {}},
                                {{4, 0, 0, 0, 0, 0, 0, 0, 6}, multitarget, {}},
                                {{0, 0, 0, 0, 0, 0, 0, 0, 0, 10}, multitarget, {}}};
  for (size_t i = 0; i < cases.size(); ++i) {
    CAPTURE(i);
    const auto shares = expression_shares(cases[i].votes, cases[i].mode);
    REQUIRE(shares.has_value() == cases[i].expected.has_value());
    for (size_t c = 0; shares && c < 8; ++c) {
      CHECK((*shares)[c] == doctest::Approx((*cases[i].expected)[c]).epsilon(1e-12));
    }
    if (cases[i].mode == crossentropy) {
      CHECK(expression_shares(cases[i].votes, FerPlusMode::probability) == shares);
    }
  }
}

TEST_CASE("ferplus: votes are matched by part and order, discarded images left out") {
  // The csv holds no PrivateTest rows; the votes file lists the parts in another order.
  const std::string csv = header + row(0, 1, "Training") + row(0, 2, "PublicTest") + row(0, 3, "Training");
  const std::string votes =
      "PrivateTest,x.png,0,10,0,0,0,0,0,0,0,0\nTraining,a.png,6,4,0,0,0,0,0,0,0,0\n"
      "Training,,0,0,0,0,0,0,0,0,0,10\nPublicTest,b.png,0,0,6,4,0,0,0,0,0,0\n";
  const Dataset dataset = with_votes(csv, votes, FerPlusMode::crossentropy);
  REQUIRE(dataset.size() == 2);
  CHECK(dataset.classes.size() == 8);
  CHECK(dataset.images.data<uint8_t>()[0] == 1);
  CHECK(dataset.images.data<uint8_t>()[2304] == 2);
  CHECK(dataset.labels.data<int32_t>()[0] == 0);
  CHECK(dataset.labels.data<int32_t>()[1] == 2);
  REQUIRE(dataset.targets.shape() == Shape{2, 8});
  CHECK(dataset.targets.data<float>()[0] == 0.6f);
  CHECK(dataset.targets.data<float>()[1] == 0.4f);
  // Test parts are labelled by majority whatever the mode.
  CHECK(dataset.targets.data<float>()[8 + 2] == 1);
  CHECK(dataset.targets.data<float>()[8 + 3] == 0);
  CHECK(dataset.metadata.at("ferplus_kept_Training") == "1 of 2");
  CHECK(dataset.metadata.at("ferplus_kept_PublicTest") == "1 of 1");

  CHECK(with_votes(csv, votes, FerPlusMode::majority).targets.empty());
  const Dataset several = with_votes(csv, votes, FerPlusMode::multitarget);
  CHECK(several.multi_target);
  CHECK(several.targets.data<float>()[0] == 1);
  CHECK(several.targets.data<float>()[1] == 1);
  CHECK(several.targets.data<float>()[2] == 0);

  const Dataset ten = with_votes(csv, votes, FerPlusMode::argmax10);
  REQUIRE(ten.size() == 3);
  CHECK(ten.classes.size() == 10);
  CHECK(ten.labels.data<int32_t>()[0] == 0);
  CHECK(ten.labels.data<int32_t>()[1] == 2);
  CHECK(ten.labels.data<int32_t>()[2] == 9);
}

TEST_CASE("ferplus: faults are reported with file, row or counts") {
  const std::string csv = header + row(0, 1, "Training");
  const auto error = [&](const std::string& votes) {
    return error_of([&] { with_votes(csv, votes, FerPlusMode::majority); });
  };
  const std::string one = "Training,a.png,10,0,0,0,0,0,0,0,0,0\n";
  CHECK(error(one) == "no error");
  CHECK(holds(error(one + one), "votes.csv", "2 Training rows", "csv has 1"));
  CHECK(holds(error(""), "0 Training rows"));
  CHECK(holds(error("Training,a.png,10,0\n"), "row 2", "4 fields, expected 12"));
  CHECK(holds(error("Train,a.png,10,0,0,0,0,0,0,0,0,0\n"), "row 2", "Usage 'Train'"));
  CHECK(holds(error("Training,a.png,10,0,0,x,0,0,0,0,0,0\n"), "row 2", "sadness", "'x'"));
  CHECK(holds(error("Training,a.png,0,0,0,0,0,0,0,0,0,10\n"), "keeps none of 1"));
  CHECK(holds(error_of([&] { read_text(csv, {.mode = FerPlusMode::majority}); }), "--ferplus"));
}
