#include "service/app.h"

#include <iostream>

#include "service/command_line.h"
#include "service/serve.h"

namespace tokenrelay {
namespace {

struct Dispatch {
  int operator()(const Answered& command) const { return command.status; }
  int operator()(const CheckConfig& command) const { return check_config(command); }
  int operator()(const ChatOptions& command) const { return run_chat(command, std::cout, std::cerr); }
  int operator()(const Serve& command) const {
    auto config = load_config(command.sources);
    if (!config) {
      std::cerr << "tokenrelay: " << config.error().message << "\n";
      return 2;
    }
    for (const auto& name : unknown_variables(command.sources.environment)) {
      std::cerr << "tokenrelay: the environment's " << name << " names no key and is ignored\n";
    }
    return serve(std::move(*config), [sources = command.sources] { return load_config(sources); });
  }
};

}  // namespace

int run(int argc, char** argv) {
  return std::visit(Dispatch{}, parse_command_line(argc, argv));
}

}  // namespace tokenrelay
