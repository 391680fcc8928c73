// Scores against numbers worked out by hand, and intervals against published ones.
#include <doctest/doctest.h>

#include <cmath>

#include "analysis/format.h"
#include "analysis/metrics.h"
#include "tensor/error.h"

using namespace fer;

namespace {

// Six samples of three classes: true 0 0 1 2 2 2, predicted 0 1 1 2 2 0.
Evaluation six_samples() {
  const std::vector<int32_t> labels{0, 0, 1, 2, 2, 2};
  const std::vector<float> probabilities{0.5f,  0.25f, 0.25f,  //
                                         0.25f, 0.5f,  0.25f,  //
                                         0.0f,  1.0f,  0.0f,   //
                                         0.25f, 0.25f, 0.5f,   //
                                         0.0f,  0.0f,  1.0f,   //
                                         0.75f, 0.0f,  0.25f};
  return evaluate({"a", "b", "c"}, labels, probabilities);
}

void check_scores(const ClassScores& scores, double precision, double recall, double f1, int64_t support) {
  CHECK(scores.precision == doctest::Approx(precision));
  CHECK(scores.recall == doctest::Approx(recall));
  CHECK(scores.f1 == doctest::Approx(f1));
  CHECK(scores.support == support);
}

}  // namespace

TEST_CASE("wilson interval: Newcombe (1998), table I, method 3") {
  struct Row {
    int64_t successes, trials;
    double low, high;
  };
  for (const Row& row : {Row{81, 263, 0.2553, 0.3662}, Row{15, 148, 0.0624, 0.1605}, Row{0, 20, 0, 0.1611},
                         Row{1, 29, 0.0061, 0.1718}}) {
    const Interval interval = wilson_interval(row.successes, row.trials);
    CHECK(std::abs(interval.low - row.low) < 5e-5);
    CHECK(std::abs(interval.high - row.high) < 5e-5);
  }
}

TEST_CASE("wilson interval: ends, symmetry, width") {
  CHECK(wilson_interval(0, 0).low == 0);
  CHECK(wilson_interval(0, 0).high == 1);
  CHECK(wilson_interval(0, 7).low == 0);
  CHECK(wilson_interval(7, 7).high == 1);
  const Interval three = wilson_interval(3, 10), seven = wilson_interval(7, 10);
  CHECK(three.low == doctest::Approx(1 - seven.high));
  CHECK(three.high == doctest::Approx(1 - seven.low));
  const Interval point = wilson_interval(3, 10, 0);
  CHECK(point.low == doctest::Approx(0.3));
  CHECK(point.high == doctest::Approx(0.3));
  CHECK_THROWS_AS(wilson_interval(4, 3), Error);
  CHECK_THROWS_AS(wilson_interval(-1, 3), Error);
}

TEST_CASE("evaluate: every score of six samples") {
  const Evaluation evaluation = six_samples();
  CHECK(evaluation.n == 6);
  CHECK(evaluation.correct == 4);
  CHECK(evaluation.accuracy == doctest::Approx(4.0 / 6));
  CHECK(evaluation.interval.low == doctest::Approx(wilson_interval(4, 6).low));
  // -(ln 1/2 + ln 1/4 + ln 1 + ln 1/2 + ln 1 + ln 1/4) / 6 = ln 2
  CHECK(evaluation.loss == doctest::Approx(std::log(2.0)));
  CHECK(evaluation.confusion == std::vector<std::vector<int64_t>>{{1, 1, 0}, {0, 1, 0}, {1, 0, 2}});
  check_scores(evaluation.per_class[0], 0.5, 0.5, 0.5, 2);
  check_scores(evaluation.per_class[1], 0.5, 1.0, 2.0 / 3, 1);
  check_scores(evaluation.per_class[2], 1.0, 2.0 / 3, 0.8, 3);
  check_scores(evaluation.macro, 2.0 / 3, 13.0 / 18, 59.0 / 90, 6);
  check_scores(evaluation.weighted, 0.75, 4.0 / 6, 61.0 / 90, 6);
}

TEST_CASE("evaluate: ties, absent classes, probability zero, no samples") {
  const Evaluation tie = evaluate({"a", "b"}, std::vector<int32_t>{0, 1}, std::vector<float>{0.5f, 0.5f, 0.5f, 0.5f});
  CHECK(tie.confusion == std::vector<std::vector<int64_t>>{{1, 0}, {1, 0}});
  check_scores(tie.per_class[1], 0, 0, 0, 1);

  const Evaluation absent = evaluate({"a", "b"}, std::vector<int32_t>{0}, std::vector<float>{0.0f, 1.0f});
  check_scores(absent.per_class[1], 0, 0, 0, 0);
  CHECK(std::isfinite(absent.loss));
  CHECK(absent.loss > 80);

  const Evaluation none = evaluate({"a", "b"}, {}, {});
  CHECK(none.n == 0);
  CHECK(none.accuracy == 0);
  CHECK(none.loss == 0);
  CHECK(none.interval.high == 1);
}

TEST_CASE("evaluate: what does not fit is named") {
  const std::vector<int32_t> labels{0, 2};
  CHECK_THROWS_WITH_AS(evaluate({"a", "b"}, labels, std::vector<float>(3)),
                       "evaluate: 2 labels of 2 classes need 4 probabilities, got 3", Error);
  CHECK_THROWS_WITH_AS(evaluate({"a", "b"}, labels, std::vector<float>(4)),
                       "evaluate: label of sample 1 is 2, expected 0 to 1", Error);
  CHECK_THROWS_AS(evaluate({}, {}, {}), Error);
  CHECK_THROWS_AS(evaluate({"a", "b"}, std::vector<int32_t>{0}, std::vector<float>{NAN, 1}), Error);
}

TEST_CASE("summarize_attack: success counts only images that were right before") {
  const std::vector<uint8_t> clean{1, 1, 1, 1, 0, 0}, attacked{1, 0, 0, 0, 1, 0};
  const RobustEvaluation evaluation = summarize_attack("fgsm", "fgsm eps 0.01", 0.01, clean, attacked);
  CHECK(evaluation.n == 6);
  CHECK(evaluation.clean_correct == 4);
  CHECK(evaluation.robust_correct == 2);
  CHECK(evaluation.clean_accuracy == doctest::Approx(4.0 / 6));
  CHECK(evaluation.robust_accuracy == doctest::Approx(2.0 / 6));
  CHECK(evaluation.success_rate == doctest::Approx(0.75));
  CHECK(evaluation.robust_interval.high == doctest::Approx(wilson_interval(2, 6).high));
  CHECK(summarize_attack("fgsm", "", 0, {}, {}).success_rate == 0);
  CHECK_THROWS_AS(summarize_attack("fgsm", "", 0, clean, std::vector<uint8_t>(5)), Error);
}

TEST_CASE("json: the promised names, and back again") {
  const Evaluation evaluation = six_samples();
  const nlohmann::json json = nlohmann::json::parse(to_json(evaluation).dump());
  CHECK(json["n"] == 6);
  CHECK(json["accuracy"].get<double>() == doctest::Approx(4.0 / 6));
  CHECK(json["per_class"]["c"]["recall"].get<double>() == doctest::Approx(2.0 / 3));
  CHECK(json["per_class"]["c"]["support"] == 3);
  CHECK(json["macro"]["f1"].get<double>() == doctest::Approx(59.0 / 90));
  CHECK(json["weighted"]["precision"].get<double>() == doctest::Approx(0.75));
  CHECK(json["confusion"][2][0] == 1);
  CHECK(to_json(evaluation_from_json(json)) == to_json(evaluation));

  RobustEvaluation robust =
      summarize_attack("pgd", "pgd 8/255", 8.0 / 255, std::vector<uint8_t>{1, 1, 0}, std::vector<uint8_t>{0, 1, 0});
  robust.queries = 10.5;
  robust.seconds = 2;
  const nlohmann::json robust_json = nlohmann::json::parse(to_json(robust).dump());
  CHECK(robust_json["success_rate"].get<double>() == doctest::Approx(0.5));
  CHECK(robust_json["queries"].get<double>() == 10.5);
  CHECK(to_json(robust_evaluation_from_json(robust_json)) == to_json(robust));
}

TEST_CASE("json: missing and misshapen parts are named") {
  nlohmann::json json = to_json(six_samples());
  json["confusion"].erase(0);
  CHECK_THROWS_WITH_AS(evaluation_from_json(json), "evaluation: 'confusion' has 2 rows for 3 classes", Error);
  json["confusion"] = "many";
  CHECK_THROWS_WITH_AS(evaluation_from_json(json), "evaluation: 'confusion' is of type string", Error);
  json.erase("classes");
  CHECK_THROWS_WITH_AS(evaluation_from_json(json), "evaluation: no 'classes'", Error);
  CHECK_THROWS_AS(robust_evaluation_from_json(nlohmann::json::array()), Error);
}

TEST_CASE("text: the figures a reader looks for") {
  const std::string text = to_text(six_samples());
  CHECK(text.find("66.7%  [30.0–90.3%]  4 of 6 images, loss 0.6931") != std::string::npos);
  CHECK(text.find("macro") != std::string::npos);
  CHECK(text.find("rows: true class") != std::string::npos);
  const std::string robust =
      to_text(summarize_attack("fgsm", "fgsm eps 0.01", 0.01, std::vector<uint8_t>{1, 1}, std::vector<uint8_t>{1, 0}));
  CHECK(robust.find("fgsm eps 0.01, 2 images") == 0);
  CHECK(robust.find(" 50.0%  of 2 images") != std::string::npos);
}

TEST_CASE("numbers as people read them") {
  using namespace format;
  CHECK(percent(0.71349) == "71.3%");
  CHECK(percent_range({0, 1}) == "0.0–100.0%");
  CHECK(points(0.123) == "+12.3 points");
  CHECK(points(-0.02) == "−2.0 points");
  CHECK(points(-0.0001) == "±0.0 points");
  CHECK(grouped(0) == "0");
  CHECK(grouped(999) == "999");
  CHECK(grouped(1000) == "1,000");
  CHECK(grouped(3504872) == "3,504,872");
  CHECK(grouped(-123456) == "-123,456");
  CHECK(bytes_text(512) == "512 B");
  CHECK(bytes_text(256.0 * 1024 * 1024) == "256.0 MiB");
  CHECK(duration(0.0042) == "4.2 ms");
  CHECK(duration(8.24) == "8.2 s");
  CHECK(duration(200) == "3 min 20 s");
  CHECK(duration(7500) == "2 h 05 min");
  CHECK(eps_text(0.03) == "0.03");
  CHECK(eps_text(0.2) == "0.2");
  CHECK(eps_text(8.0 / 255) == "8/255");
}
