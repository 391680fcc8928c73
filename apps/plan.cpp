#include "apps/commands.h"
namespace fer { void add_plan_command(CLI::App&) {} }
