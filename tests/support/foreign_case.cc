#include "tests/support/foreign_case.h"

#include <openssl/evp.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <stdexcept>

#include "tests/support/temp_dir.h"

namespace tokenrelay::support {
namespace {

// Less than the 5 s that the relay waits for a body's end: a case that needs that wait says so.
constexpr double usual_seconds = 4;

std::string from_base64(const std::string& text) {
  std::string out(text.size() / 4 * 3, '\0');
  const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                   reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  if (size < 0) throw std::runtime_error("not base64: " + text);
  const size_t padding = text.size() - (text.find_last_not_of('=') + 1);
  out.resize(static_cast<size_t>(size) - padding);
  return out;
}

script::Step step_of(const Json& step) {
  if (step.contains("raw")) return script::send(step["raw"]);
  if (step.contains("chunk")) return script::send(script::chunk(step["chunk"].get<std::string>()));
  if (step.contains("chunk64")) return script::send(script::chunk(from_base64(step["chunk64"])));
  if (step.contains("sleep")) return script::pause(step["sleep"]);
  if (step.contains("close")) return step["close"] == "fin" ? script::close() : script::cut();
  throw std::runtime_error("no such step: " + step.dump());
}

ForeignCase case_of(const std::filesystem::path& path) {
  const Json file = Json::parse(read_text(path));
  ForeignCase out{path.stem(), file.at("kind"), {}, file.value("want", Json()), usual_seconds};
  for (const Json& attempt : file.at("attempts")) {
    out.attempts.emplace_back();
    for (const Json& step : attempt) {
      out.attempts.back().push_back(step_of(step));
      out.seconds += step.value("sleep", 0) / 1000.0;
    }
  }
  return out;
}

// "2026-11-21T06:00:00.123Z" in seconds.
double seconds_of(const std::string& time) {
  std::tm day{};
  double seconds = 0;
  if (std::sscanf(time.c_str(), "%d-%d-%dT%d:%d:%lf", &day.tm_year, &day.tm_mon, &day.tm_mday, &day.tm_hour,
                  &day.tm_min, &seconds) != 6) {
    throw std::runtime_error("not a time: " + time);
  }
  day.tm_year -= 1900;
  day.tm_mon -= 1;
  return static_cast<double>(timegm(&day)) + seconds;
}

// Arguments are compared as they are where `want` has a string, else as JSON.
bool same_calls(const Json& want, const Json& calls) {
  if (want.size() != calls.size()) return false;
  for (size_t i = 0; i < want.size(); ++i) {
    const std::string arguments = calls[i].at("arguments");
    const Json& wanted = want[i].at("arguments");
    if (calls[i].at("name") != want[i].at("name")) return false;
    if (wanted.is_string() ? wanted != arguments : wanted != Json::parse(arguments, nullptr, false)) return false;
    if (want[i].contains("id") && want[i]["id"] != calls[i].at("id")) return false;
  }
  return true;
}

bool one_of(const Json& allowed, const Json& value) {
  return allowed.is_array() ? std::find(allowed.begin(), allowed.end(), value) != allowed.end() : allowed == value;
}

bool holds(const std::string& member, const Json& wanted, const Json& state) {
  const Json error = state.at("error").is_null() ? Json::object() : state.at("error");
  if (member == "tool_calls") return same_calls(wanted, state.at("tool_calls"));
  if (member == "error_code") return one_of(wanted, error.value("code", Json()));
  if (member == "retryable") return error.value("retryable", Json()) == wanted;
  if (member == "message_has") return error.value("message", "").find(wanted.get<std::string>()) != std::string::npos;
  if (member == "usage") {
    const Json& usage = state.at("usage");
    return std::all_of(wanted.items().begin(), wanted.items().end(),
                       [&](const auto& count) { return one_of(count.value(), usage.value(count.key(), Json())); });
  }
  if (member == "seconds") {
    return seconds_of(state.at("updated_at")) - seconds_of(state.at("created_at")) <= wanted.get<double>();
  }
  return one_of(wanted, state.at(member));  // status, text, reasoning, finish_reason
}

std::string unfulfilled(const Json& want, const Json& state) {
  std::string out;
  for (const auto& [member, wanted] : want.items()) {
    if (member != "any" && !holds(member, wanted, state)) out += "  not " + member + " " + wanted.dump() + "\n";
  }
  if (!want.contains("any")) return out;
  std::string of_all;
  for (const Json& either : want["any"]) {
    const std::string wrong = unfulfilled(either, state);
    if (wrong.empty()) return out;
    of_all += " either" + wrong;
  }
  return out + of_all;
}

// What holds for every answer.
std::string never_right(const Json& state) {
  std::string out;
  const Json& usage = state.at("usage");
  const bool said = state.at("text") != "" || state.at("reasoning") != "" || !state.at("tool_calls").empty();
  if (said && usage.value("output_tokens", Json()) == 0) out += "  no output tokens beside an answer\n";
  if (state.at("status") == "completed" && !said && usage.value("output_tokens", Json()) != 0 &&
      usage.at("source") != "provider") {
    out += "  an empty answer with tokens that nobody counted\n";
  }
  for (const Json& call : state.at("tool_calls")) {
    if (call.at("name") == "") out += "  a call without a name\n";
  }
  return out;
}

}  // namespace

std::vector<ForeignCase> foreign_cases(const std::string& kind, const std::string& prefix) {
  std::vector<ForeignCase> out;
  for (const auto& entry : std::filesystem::directory_iterator(TOKENRELAY_SOURCE_DIR "/tests/fixtures/foreign")) {
    if (entry.path().extension() != ".json" || !entry.path().stem().string().starts_with(prefix)) continue;
    ForeignCase script = case_of(entry.path());
    if (script.kind == kind) out.push_back(std::move(script));
  }
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return out;
}

std::string wrong_with(const ForeignCase& script, const Json& state) {
  Json want = script.want;
  if (!want.contains("seconds")) want["seconds"] = script.seconds;
  return unfulfilled(want, state) + never_right(state);
}

}  // namespace tokenrelay::support
