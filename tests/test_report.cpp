// The report's promises: it loads nothing, no name breaks out of the page, its figures are the run's.
#include <doctest/doctest.h>

#include <regex>

#include "analysis/chart.h"
#include "analysis/html.h"
#include "analysis/report.h"
#include "analysis/report_parts.h"
#include "tensor/error.h"

using namespace fer;

namespace {

Tensor grey(DType dtype, double value) {
  Tensor image(dtype, {6, 5, 1});
  for (int64_t i = 0; i < image.size(); ++i) {
    if (dtype == DType::u8) {
      image.data<uint8_t>()[i] = static_cast<uint8_t>(value);
    } else {
      image.data<float>()[i] = static_cast<float>(value);
    }
  }
  return image;
}

// A run with something in every section; `name` stands in every text.
RunReport full_run(const std::string& name) {
  RunReport report;
  report.name = name;
  report.run = {{"model", name}, {"seed", 7}, {"options", {{"lr", 0.1}, {name, name}}}, {"data_digest", "9f1c55ab"}};
  for (int epoch = 1; epoch <= 3; ++epoch) {
    report.epochs.push_back({{"epoch", epoch},
                             {"train_loss", 2.0 / epoch},
                             {"validation_loss", nullptr},
                             {"validation_accuracy", 0.2 * epoch},
                             {"learning_rate", 0.1 / epoch},
                             {"seconds", 4.0}});
  }
  report.test = evaluate({name, "b"}, std::vector<int32_t>{0, 0, 1}, std::vector<float>{1, 0, 0, 1, 0, 1});
  for (double eps : {0.01, 0.02}) {
    report.attacks.push_back(summarize_attack(name, name + (eps < 0.015 ? " weak" : " strong"), eps,
                                              std::vector<uint8_t>{1, 1, 0, 1},
                                              std::vector<uint8_t>{0, eps < 0.015, 0, 1}));
  }
  report.samples = {{grey(DType::u8, 200), name, name, 0.9}, {grey(DType::u8, 90), "b", name, 0.6}};
  AttackPanel panel{grey(DType::f32, 0.5), grey(DType::f32, 0.5), name, name, name, "b", 0.9, 0.8};
  panel.attacked.data<float>()[3] = 0.54f;
  report.panels = {panel};
  report.cost = {{"Parameters", "1,234"}, {name, name}};
  return report;
}

size_t count(const std::string& text, const std::string& part) {
  size_t found = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++found;
  }
  return found;
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// The page without its scripts and style sheet.
std::string markup(const std::string& page) {
  std::string result;
  size_t from = 0;
  for (size_t open; (open = std::min(page.find("<script", from), page.find("<style", from))) != std::string::npos;) {
    result += page.substr(from, open - from);
    const std::string close = page[open + 2] == 'c' ? "</script>" : "</style>";
    from = page.find(close, open);
    REQUIRE(from != std::string::npos);
    from += close.size();
  }
  return result + page.substr(from);
}

// Every src, href and their kind points into the page.
void check_self_contained(const std::string& page) {
  CHECK_FALSE(contains(page, "http://"));
  CHECK_FALSE(contains(page, "https://"));
  CHECK_FALSE(contains(page, "@import"));
  CHECK_FALSE(contains(page, "url("));
  const std::string text = markup(page);
  const std::regex reference("\\s(src|href|action|data|poster|srcset)=\"([^\"]{0,10})");
  for (auto it = std::sregex_iterator(text.begin(), text.end(), reference); it != std::sregex_iterator(); ++it) {
    const std::string target = (*it)[2];
    CHECK_MESSAGE((target.starts_with("data:") || target.starts_with("#")), target);
  }
}

}  // namespace

TEST_CASE("html: text that would be markup") {
  CHECK(html::escape("<b a=\"1\" c='2'>&") == "&lt;b a=&quot;1&quot; c=&#39;2&#39;&gt;&amp;");
  CHECK(html::escape(std::string("a\0b\x1b[0m\n", 8)) == "ab[0m\n");
  CHECK(html::escape("å é 怒り") == "å é 怒り");
}

TEST_CASE("html: base64 of RFC 4648") {
  CHECK(html::base64("") == "");
  CHECK(html::base64("f") == "Zg==");
  CHECK(html::base64("fo") == "Zm8=");
  CHECK(html::base64("foo") == "Zm9v");
  CHECK(html::base64("foobar") == "Zm9vYmFy");
  CHECK(html::base64("\xff\xfe\xfd") == "//79");
}

TEST_CASE("html: scripts cannot be closed from inside") {
  const std::string json = html::script_json({{"name", "</script><script>alert(1)</script><!--"}});
  CHECK_FALSE(contains(json, "<"));
  CHECK(nlohmann::json::parse(json)["name"] == "</script><script>alert(1)</script><!--");
  CHECK_NOTHROW(html::script_json({{"name", "\xff broken"}}));
  CHECK(html::script_text("a='</script>'; // https://example.org") == "a='<\\/script>'; // example.org");
}

TEST_CASE("chart: round ticks enclose the data") {
  const Ticks percent = round_ticks(0.21, 0.96, 4);
  CHECK(percent.first == doctest::Approx(0.2));
  CHECK(percent.last == doctest::Approx(1.0));
  CHECK(percent.step == doctest::Approx(0.2));
  for (double value : {0.0, 1.0, -3.0, 1e-6, 2e9}) {
    const Ticks flat = round_ticks(value, value, 5);
    CHECK(flat.first <= value);
    CHECK(flat.last >= value);
    CHECK(flat.step > 0);
  }
}

TEST_CASE("chart: one point, a flat line and a logarithmic axis are drawn without NaN") {
  ChartBook book;
  const std::string one = book.figure({"one", "", "epoch", false, false, false, {{"a", {{1, 2, {}, {}}}}}});
  const std::string flat = book.figure({"flat", "", "x", true, true, false, {{"a", {{0, 0, {}, {}}, {1, 0, {}, {}}}}}});
  const std::string decades =
      book.figure({"log", "", "x", false, false, true, {{"a", {{0, 0.1, {}, {}}, {9, 1e-5, {}, {}}}}}});
  for (const std::string& figure : {one, flat, decades}) {
    CHECK(contains(figure, "<polyline"));
    CHECK_FALSE(contains(figure, "nan"));
    CHECK_FALSE(contains(figure, "inf"));
  }
  CHECK(contains(decades, ">1e-05<"));
  CHECK(book.data().size() == 3);
}

TEST_CASE("report: a full run shows its figures") {
  const std::string page = render_report("A title", {full_run("plain")});
  check_self_contained(page);
  CHECK(contains(page, "<title>A title</title>"));
  CHECK(contains(page, "prefers-color-scheme: dark"));
  for (const char* heading : {"Learning curves", "Confusion matrix", "Scores by class", "Faces and predictions",
                              "Robustness", "Attacks on single faces", "Cost", "Settings"}) {
    CHECK_MESSAGE(contains(page, std::string("<h3>") + heading + "</h3>"), heading);
  }
  const std::string text = markup(page);
  CHECK(contains(text, "<b>66.7%</b><span>20.8–93.9%"));  // 2 of 3 right
  CHECK(contains(text, "highest at epoch 3: 60.0%"));
  CHECK(contains(text, "Change ×10"));  // 0.04, at most 0.5 after amplification
  CHECK(contains(text, "1 of 30 pixels changed<br>by at most 0.04"));
  CHECK(contains(text, "1 of the 2 shown are right"));
  CHECK(contains(text, "9f1c55ab"));
  CHECK(count(text, "<img ") == 5);
  CHECK(count(text, "class=\"plot\"") == 4);  // loss, accuracy, learning rate, accuracy against eps
  CHECK_FALSE(contains(text, ">Comparison<"));
  CHECK(page.size() < 300'000);  // Chart.js is 200 kB of it
}

TEST_CASE("report: hostile names stay text") {
  const std::string hostile = "</script><img src=x onerror=\"alert('1')\"><!-- & </style>";
  const std::string page = render_report(hostile, {full_run(hostile), full_run(hostile + "2")});
  check_self_contained(page);
  const std::string text = markup(page);
  CHECK_FALSE(contains(text, "<img src=x"));
  CHECK_FALSE(contains(text, "alert('1')"));
  CHECK(contains(text, "&lt;/script&gt;&lt;img src=x"));
  CHECK(count(page, "<script") == count(page, "</script>"));
  CHECK(count(page, "<style") == count(page, "</style>"));
}

TEST_CASE("report: several runs are compared with the first") {
  RunReport before = full_run("before"), after = full_run("after");
  before.attacks = {
      summarize_attack("fgsm", "fgsm eps 0.01", 0.01, std::vector<uint8_t>(4, 1), std::vector<uint8_t>{1, 0, 0, 0})};
  after.attacks = {
      summarize_attack("fgsm", "fgsm eps 0.01", 0.01, std::vector<uint8_t>(4, 1), std::vector<uint8_t>{1, 1, 1, 0})};
  after.test.reset();
  const std::string text = markup(render_report("two", {before, after}));
  CHECK(contains(text, ">Comparison<"));
  CHECK(contains(text, "+50.0 points"));
  CHECK(contains(text, "href=\"#run-2\""));
  CHECK(contains(text, "id=\"run-2\""));
  CHECK(text.find(">Comparison<") < text.find("id=\"run-1\""));
}

TEST_CASE("report: runs that hold little or nothing") {
  check_self_contained(render_report("none", {}));
  RunReport bare;
  bare.name = "bare";
  const std::string text = render_report("bare", {bare});
  check_self_contained(text);
  CHECK(contains(text, "has not been evaluated"));
  CHECK_FALSE(contains(text, "<h3>"));
  CHECK_FALSE(contains(text, "<script"));
}

TEST_CASE("report: without Chart.js the SVG curves remain") {
  CHECK(report::chart_library("/nonexistent/chart.js").empty());
  ChartBook book;
  const std::string curves = report::learning_curves(full_run("plain"), book);
  CHECK(count(curves, "<svg viewBox=\"0 0 380.0 230.0\"") == 3);
  CHECK(count(curves, "<polyline") == 3);
}

TEST_CASE("report: panels whose two images differ in size are refused") {
  RunReport run = full_run("plain");
  run.panels[0].attacked = Tensor(DType::f32, {5, 5, 1});
  CHECK_THROWS_AS(render_report("title", {run}), Error);
}
