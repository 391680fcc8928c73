#include "apps/commands.h"
namespace fer { void add_attack_command(CLI::App&) {} }
