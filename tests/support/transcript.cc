#include "tests/support/transcript.h"

namespace tokenrelay::support {

void Transcript::add(const SseEvent& event) {
  const Json data = event.json();
  if (event.name == "resumed") {
    const std::string last = verdict = data.value("verdict", "");
    if (last == "reset") {
      const int count = resets + 1;
      *this = Transcript{};
      resets = count;
      verdict = "reset";
    }
    return;
  }
  if (event.id) last_id = *event.id;
  if (event.name == "message") {
    text += data.value("delta", "");
  } else if (event.name == "reasoning") {
    reasoning += data.value("delta", "");
  } else if (event.name == "tool_call") {
    auto& call = tool_calls[data.value("index", -1)];
    if (data.contains("id") && data["id"].is_string()) call.id = data["id"];
    if (data.contains("name") && data["name"].is_string()) call.name = data["name"];
    call.arguments += data.value("arguments_delta", "");
  } else if (event.name == "start") {
    start = data;
  } else if (event.name == "upstream") {
    upstream.push_back(data);
  } else if (event.name == "steer") {
    steer.push_back(data);
  } else if (event.name == "done") {
    done = data;
    ++dones;
  }
}

Transcript transcript_of(const std::vector<SseEvent>& events) {
  Transcript out;
  for (const auto& event : events) out.add(event);
  return out;
}

}  // namespace tokenrelay::support
