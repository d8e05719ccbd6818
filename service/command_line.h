// The command line: what the program was asked to do. Usage errors, --help and --version are answered here.
#pragma once

#include <string>
#include <variant>

#include "service/config/load.h"
#include "service/terminal/chat.h"

namespace tokenrelay {

struct Serve {
  ConfigSources sources;  // the caller calls load_config(sources), now and at each reload
};

struct CheckConfig {
  std::string file;
};

struct Answered {
  int status;  // everything is printed: exit with this (0, or 2 for a usage error)
};

using Command = std::variant<Answered, Serve, ChatOptions, CheckConfig>;

Command parse_command_line(int argc, char** argv);

// Prints "FILE: fine" on standard output (0), or what is wrong on standard error (2). Applies the environment, but not
// flags.
int check_config(const CheckConfig& command);

}  // namespace tokenrelay
