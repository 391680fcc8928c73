// The subcommands of `fer`. Each adds its options to the program; its callback does the work and throws Error.
#pragma once

#include <CLI/CLI.hpp>

namespace fer {

void add_data_command(CLI::App& program);
void add_models_command(CLI::App& program);
void add_plan_command(CLI::App& program);
void add_train_command(CLI::App& program);
void add_eval_command(CLI::App& program);
void add_attack_command(CLI::App& program);
void add_explain_command(CLI::App& program);
void add_predict_command(CLI::App& program);
void add_bench_command(CLI::App& program);
void add_export_command(CLI::App& program);
void add_report_command(CLI::App& program);
void add_reproduce_command(CLI::App& program);

// Thrown to end the program with exit status 130 after an interrupt was handled.
struct Interrupted {};

}  // namespace fer
