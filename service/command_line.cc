#include "service/command_line.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <iostream>

#include "service/config/address.h"

namespace tokenrelay {
namespace {

struct Flags {
  std::string config, listen, data, log_level;
  std::vector<std::string> upstreams;
  ChatOptions chat;
  CheckConfig check;
};

void describe_serve(CLI::App& serve, Flags& flags) {
  serve.add_option("--config", flags.config, "TOML file; every key is in deploy/tokenrelay.toml")
      ->envname("TOKENRELAY_CONFIG")
      ->type_name("FILE");
  serve.add_option("--listen", flags.listen, "address to listen on (default 127.0.0.1:8080; port 0 takes a free one)")
      ->type_name("HOST:PORT");
  serve.add_option("--data", flags.data, "directory of the event log (default ./tokenrelay-data)")->type_name("DIR");
  serve
      .add_option("--upstream", flags.upstreams,
                  "an upstream, e.g. openai=http://127.0.0.1:11434/v1 or anthropic=https://api.anthropic.com; "
                  "KIND is openai, "
                  "openai-responses, anthropic, gemini or demo; may be repeated (default: the demo model)")
      ->type_name("KIND=BASE_URL")
      ->allow_extra_args(false);
  serve.add_option("--log-level", flags.log_level, "debug, info, warning or error (default info)")->type_name("LEVEL");
  serve.footer(
      "API keys are read from the environment: OPENAI_API_KEY (openai, openai-responses), ANTHROPIC_API_KEY, "
      "GEMINI_API_KEY.");
}

void describe_chat(CLI::App& chat, Flags& flags) {
  chat.add_option("prompt", flags.chat.prompt, "what to ask")->required();
  chat.add_option("--server", flags.chat.server, "the relay (default " + flags.chat.server + ")")->type_name("URL");
  chat.add_option("--ca", flags.chat.ca, "PEM file to check an https server with (default: the system's)")
      ->type_name("FILE")
      ->check(CLI::ExistingFile);
  chat.add_option("--model", flags.chat.model, "a model (default: the relay's)")->type_name("M");
  chat.add_flag("--reasoning", flags.chat.show_reasoning, "show the model's reasoning too, on standard error");
  chat.add_flag("--ids", flags.chat.show_ids, "show event ids, on standard error");
  chat.footer("Resumes by itself when the connection is lost. Ctrl-C cancels the answer.");
}

Command serve_command(const CLI::App& serve, const Flags& flags) {
  Serve command;
  command.sources.file = flags.config;
  command.sources.environment = relay_environment();
  command.sources.upstreams = flags.upstreams;
  if (serve.count("--listen")) command.sources.flags["listen"] = flags.listen;
  if (serve.count("--data")) command.sources.flags["data"] = flags.data;
  if (serve.count("--log-level")) command.sources.flags["log.level"] = flags.log_level;
  return command;
}

Command chat_command(Flags& flags) {
  if (!parse_http_url(flags.chat.server)) {
    std::cerr << "tokenrelay chat: --server must be a URL such as http://127.0.0.1:8080\n";
    return Answered{2};
  }
  if (flags.chat.prompt.empty()) {
    std::cerr << "tokenrelay chat: the prompt is empty\n";
    return Answered{2};
  }
  flags.chat.terminal = isatty(STDOUT_FILENO) == 1;
  flags.chat.input_fd = STDIN_FILENO;
  return flags.chat;
}

}  // namespace

Command parse_command_line(int argc, char** argv) {
  Flags flags;
  CLI::App app("tokenrelay: streams the answers of language models, durably and resumably.", "tokenrelay");
  app.set_version_flag("--version", std::string("tokenrelay ") + TOKENRELAY_VERSION);
  app.require_subcommand(1);
  CLI::App& serve = *app.add_subcommand("serve", "run the relay");
  CLI::App& chat = *app.add_subcommand("chat", "send a prompt and print the answer as it comes");
  CLI::App& check = *app.add_subcommand("check-config", "check a configuration file");
  describe_serve(serve, flags);
  describe_chat(chat, flags);
  check.add_option("file", flags.check.file, "the TOML file")->required()->type_name("FILE");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& stop) {
    const int status = app.exit(stop, std::cout, std::cerr);
    return Answered{status == 0 ? 0 : 2};
  }
  if (serve.parsed()) return serve_command(serve, flags);
  if (chat.parsed()) return chat_command(flags);
  return flags.check;
}

int check_config(const CheckConfig& command) {
  ConfigSources sources;
  sources.file = command.file;
  sources.environment = relay_environment();
  const ConfigResult loaded = load_config(sources);
  if (loaded) {
    std::cout << command.file << ": fine\n";
    return 0;
  }
  std::cerr << loaded.error().message << "\n";
  return 2;
}

}  // namespace tokenrelay
