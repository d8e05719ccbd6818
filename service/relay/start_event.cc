#include "service/relay/start_event.h"

#include <cstdio>
#include <ctime>

#include "service/json/write.h"
#include "service/upstream/own_request.h"

namespace tokenrelay::relay {

std::string rfc3339(int64_t wall_ms) {
  const std::time_t seconds = wall_ms / 1000;
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char day[32], out[48];
  std::strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &utc);
  std::snprintf(out, sizeof out, "%s.%03dZ", day, static_cast<int>(wall_ms % 1000));
  return out;
}

std::string start_payload(std::string_view model, std::string_view provider, int64_t created_ms,
                          std::string_view marks) {
  std::string out = "{\"model\":";
  json::append_string(out, model);
  out += ",\"provider\":";
  json::append_string(out, provider);
  out += ",\"created_at\":\"" + rfc3339(created_ms) + "\"";
  out += marks;
  out += '}';
  return out;
}

std::string stored_request(const upstream::ModelRequest& request) {
  std::string out = "{\"model\":";
  json::append_string(out, request.model);
  if (request.untranslated) {
    out += ",\"untranslated\":{\"field\":";
    json::append_string(out, request.untranslated->field);
    out += ",\"why\":";
    json::append_string(out, request.untranslated->why);
    out += '}';
  } else {
    out += ",\"messages\":" + request.messages;
    out += ",\"parameters\":" + (request.parameters.empty() ? std::string("{}") : request.parameters);
  }
  if (request.own) out += ",\"own\":" + upstream::own_json(*request.own);
  return out + "}";
}

}  // namespace tokenrelay::relay
