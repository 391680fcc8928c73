#include "analysis/cost_page.h"

#include <algorithm>

#include "analysis/cost_figures.h"
#include "analysis/format.h"
#include "analysis/html.h"
#include "analysis/report_parts.h"
#include "analysis/report_style.h"
#include "tensor/shape.h"

namespace fer {

namespace cost_page {

using format::compact;
using html::escape;
using nlohmann::json;

namespace {

constexpr size_t shown_layers = 25;  // of the table, before the rest is folded away

std::string cell(const std::string& text) { return "<td class=\"number\">" + escape(text) + "</td>"; }

std::string heading(std::initializer_list<const char*> columns) {
  std::string text = "<thead><tr>";
  bool first = true;
  for (const char* column : columns) {
    text += std::string("<th scope=\"col\"") + (first ? ">" : " class=\"number\">") + column + "</th>";
    first = false;
  }
  return text + "</tr></thead>";
}

std::string table(const std::string& head, const std::string& rows) {
  return "<div class=\"scroll\"><table class=\"layers\">" + head + "<tbody>" + rows + "</tbody></table></div>";
}

std::string folded(const std::string& summary, const std::string& body) {
  return "<details><summary>" + escape(summary) + "</summary>" + body + "</details>";
}

std::string facts(const json& result) {
  std::string items;
  const auto item = [&](const std::string& label, const json& value) {
    items += "<li>" + label + " <b>" + escape(report::plain(value)) + "</b></li>";
  };
  for (const char* key : {"model", "batch", "parameters", "device", "precision", "threads", "repeats", "seed"}) {
    if (result.contains(key)) {
      item(key, result[key]);
    }
  }
  if (result.contains("machine")) {
    item("machine", result["machine"].at("processor"));
  }
  return "<ul class=\"facts\">" + items + "</ul>";
}

std::string tiles(const json& result) {
  using report::tile;
  const auto flops = result.at("flops_per_step").get<double>();
  const auto peak = result.at("planned_peak_bytes").get<double>();
  std::string text;
  if (result.contains("median_ms")) {
    const auto spread = result.at("median_ms_spread").get<std::vector<double>>();
    text += tile("A step", compact(result["median_ms"].get<double>()) + " ms",
                 "quartiles " + compact(spread.at(0)) + " to " + compact(spread.at(1)) + " ms",
                 compact(result.at("images_per_s").get<double>()) + " images a second") +
            tile("Arithmetic", compact(flops / 1e9) + " GFLOP",
                 compact(result.at("flops_done_per_step").get<double>() / 1e9) + " done, " +
                     format::percent(result.at("flop_rate_fraction_of_peak").get<double>()) + " of the peak",
                 "roofline " + compact(result.at("roofline_ms").get<double>()) + " ms");
  } else {
    text += tile("A step, at least", compact(result.at("roofline_ms").get<double>()) + " ms", "the roofline's time",
                 "nothing was run") +
            tile("Arithmetic", compact(flops / 1e9) + " GFLOP", "2 x multiply-adds");
  }
  text += tile("Memory", format::bytes_text(peak), "arena, weights and moments",
               "arena " + format::bytes_text(result.at("arena_bytes").get<double>()));
  if (result.contains("host_joules_per_step")) {
    const auto energy = [&](const char* who, const std::string& key) {
      if (result.contains(key + "_joules_per_step")) {
        const bool known = result[key + "_joules_per_step"].is_number();
        text += tile(std::string("Energy, ") + who,
                     known ? compact(result[key + "_joules_per_step"].get<double>()) + " J" : "unavailable",
                     known ? compact(result.at(key + "_watts").get<double>()) + " W" : "no counter can be read");
      }
    };
    energy("processor", "host");
    energy("GPU", "device");
  }
  return "<dl class=\"tiles\">" + text + "</dl>";
}

// Rates of all that a layer did, as cells; empty ones where it took no time.
std::string rate_cells(double flops, double bytes, double ms, const MachineLimits& limits) {
  if (ms <= 0) {
    return cell("–") + cell("–") + cell("–") + cell("–");
  }
  const double flop_rate = flops / (1e-3 * ms), byte_rate = bytes / (1e-3 * ms);
  return cell(compact(flop_rate / 1e9)) + cell(format::percent(flop_rate / limits.flops_per_second)) +
         cell(compact(byte_rate / 1e9)) + cell(format::percent(byte_rate / limits.bytes_per_second));
}

std::string layer_table(std::vector<LayerTotal> layers, const MachineLimits& limits) {
  double all = 0;
  for (const LayerTotal& layer : layers) {
    all += layer.total_ms();
  }
  std::stable_sort(layers.begin(), layers.end(),
                   [](const LayerTotal& a, const LayerTotal& b) { return a.total_ms() > b.total_ms(); });
  const std::string head = heading({"layer", "ms", "", "share", "forward ms", "backward ms", "GFLOP done", "GFLOP/s",
                                    "of peak", "GB/s", "of bandwidth"});
  std::string rows[2];
  for (size_t i = 0; i < layers.size(); ++i) {
    const LayerTotal& layer = layers[i];
    const double ms = layer.total_ms();
    rows[i < shown_layers ? 0 : 1] +=
        "<tr><th scope=\"row\">" + escape(layer.name) + "</th>" + cell(compact(ms)) +
        "<td><span class=\"bar\" style=\"--v:" + format::fixed(100 * ms / std::max(layers[0].total_ms(), 1e-12), 1) +
        "%\"></span></td>" + cell(format::percent(ms / std::max(all, 1e-12))) + cell(compact(layer.ms[0])) +
        cell(compact(layer.ms[1])) + cell(compact(layer.flops / 1e9)) +
        rate_cells(layer.flops, layer.bytes, ms, limits) + "</tr>";
  }
  std::string text = table(head, rows[0]);
  if (!rows[1].empty()) {
    text += folded("The other " + std::to_string(layers.size() - shown_layers) + " layers", table(head, rows[1]));
  }
  return text;
}

std::string node_table(const json& layers, const MachineLimits& limits) {
  std::string rows;
  for (const json& node : layers) {
    const auto shape = node.at("shape").get<std::vector<int64_t>>();
    const auto life = node.at("lifetime").get<std::vector<int>>();
    std::string ms = compact(ms_of(node));
    if (node.contains("ms_spread")) {
      ms += " (" + compact(node["ms_spread"][0].get<double>()) + " to " + compact(node["ms_spread"][1].get<double>()) +
            ")";
    }
    rows += "<tr><th scope=\"row\">" + std::to_string(node.at("node").get<int64_t>()) + " " +
            escape(node.at("scope").get<std::string>() + " " + node.at("operation").get<std::string>()) + "</th>" +
            cell(node.at("phase")) + cell(to_string(Shape(shape))) + cell(ms) +
            rate_cells(node.at("flops_done").get<double>(), node.at("bytes").get<double>(), ms_of(node), limits) +
            cell(format::bytes_text(node.at("output_bytes").get<double>())) +
            cell(format::bytes_text(node.at("workspace_bytes").get<double>())) +
            cell(std::to_string(life.at(0)) + " to " + std::to_string(life.at(1))) +
            cell(node.at("algorithm").get<std::string>()) + "</tr>";
  }
  return folded("All " + std::to_string(layers.size()) + " operations",
                table(heading({"operation", "phase", "output", "ms", "GFLOP/s", "of peak", "GB/s", "of bandwidth",
                               "output", "workspace", "taken during", "algorithm"}),
                      rows));
}

}  // namespace

}  // namespace cost_page

std::string render_cost_page(const nlohmann::json& result, const MachineLimits& limits) {
  using namespace cost_page;
  const json& layers = result.at("layers");
  const bool measured = is_measured(layers);
  const std::string title = result.at("model").get<std::string>() + ": " +
                            (measured ? "what a training step costs" : "what a training step would cost");
  const std::vector<LayerTotal> by_layer = totals(layers);
  const double arena_bytes = result.at("arena_bytes").get<double>(),
               least = result.at("lower_bound_bytes").get<double>();
  const std::string machine =
      compact(limits.flops_per_second / 1e9) + " GFLOP/s and " + compact(limits.bytes_per_second / 1e9) + " GB/s";
  const std::string main =
      facts(result) + tiles(result) +
      report::section("Memory",
                      "The arena, address against time: every value is a rectangle as high as its bytes and as long as "
                      "it is needed; its name shows under the pointer. The dashed line: " +
                          format::bytes_text(least) + ", less than which no plan needs; this one takes " +
                          format::bytes_text(arena_bytes) + ".",
                      phase_legend(layers, true) + arena_map(result.at("arena"), layers, arena_bytes, least)) +
      report::section(
          "Roofline",
          "Each dot an operation, its area the operation's time. The line is what the machine allows: " + machine +
              (measured ? ", measured after the steps. Operations whose data stays in the processor's "
                          "caches may stand above its slope, which is the memory's."
                        : ". Nothing was run, so that each operation stands on it.") +
              " Operations without arithmetic have no place here.",
          phase_legend(layers, false) + roofline(layers, limits)) +
      report::section("Time by layer",
                      measured ? "Means over the repeats in the middle half, so that they add up to the step."
                               : "The roofline's times: what the arithmetic or the bytes take, whichever is longer.",
                      phase_legend(layers, false) + time_columns(by_layer) + layer_table(by_layer, limits) +
                          node_table(layers, limits));
  return html::page({.title = title,
                     .style = std::string(report::style_sheet) + std::string(figure_style),
                     .header = "<p class=\"maker\">Ferrotype</p><h1>" + escape(title) + "</h1>",
                     .main = main});
}

}  // namespace fer
