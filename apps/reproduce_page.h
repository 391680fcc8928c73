// What came out, beside what was printed: as JSON and as a page.
#pragma once

#include "apps/reproduce_runner.h"

namespace fer::reproduce {

// Every cell of every table with the printed number and ours in both protocols, as far as the folder's results go:
// {paper, title, data, protocols, tables: [{id, title, flaw, worth, columns, rows, cells}], runs, machine}. What was
// not run says so and why; nothing is filled in. `tasks` say what cannot be run.
nlohmann::json collect_results(const Paper& paper, const std::vector<Task>& tasks, const Settings& settings);

// The same as one self-contained HTML page.
std::string render_page(const nlohmann::json& results);

}  // namespace fer::reproduce
