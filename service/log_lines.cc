#include "service/log_lines.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/sink.h>
#include <spdlog/spdlog.h>

#include <cstdio>

#include "service/json/utf8.h"
#include "service/json/write.h"

namespace tokenrelay {
namespace {

constexpr size_t message_bytes_max = 8 << 10;
// A request's line comes as its members, marked by the logger that it comes from.
constexpr const char* request_logger = "request";

class JsonLines final : public spdlog::formatter {
 public:
  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
    head_.format(message, out);
    const std::string_view said(message.payload.data(), message.payload.size());
    std::string rest(",");
    if (std::string_view(message.logger_name.data(), message.logger_name.size()) == request_logger) {
      rest += said;
    } else {
      rest += "\"message\":";
      json::append_string(rest, said.substr(0, json::utf8_prefix(said, message_bytes_max)));
    }
    rest += "}\n";
    out.append(rest.data(), rest.data() + rest.size());
  }
  std::unique_ptr<spdlog::formatter> clone() const override { return std::make_unique<JsonLines>(); }

 private:
  spdlog::pattern_formatter head_{R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l")", spdlog::pattern_time_type::utc,
                                  ""};
};

std::string members_of(const http::RequestRecord& record) {
  std::string out = "\"method\":";
  const auto member = [&out](const char* name, std::string_view value) {
    out += std::string(",\"") + name + "\":";
    json::append_string(out, value);
  };
  json::append_string(out, record.method);
  member("path", record.path);
  member("route", record.route);
  out += ",\"status\":" + std::to_string(record.status);
  member("request_id", record.request_id);
  char duration[32];
  std::snprintf(duration, sizeof duration, ",\"duration_ms\":%.1f", static_cast<double>(record.duration_us) / 1000);
  out += duration;
  member("client", record.client_address);
  return out;
}

}  // namespace

std::unique_ptr<spdlog::formatter> line_formatter(bool json) {
  if (json) return std::make_unique<JsonLines>();
  return std::make_unique<spdlog::pattern_formatter>("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
}

void log_request(const http::RequestRecord& record, bool json) {
  if (!json) {
    return spdlog::info("{} {} {} {} {:.1f}ms {}", record.method, record.path, record.status, record.request_id,
                        static_cast<double>(record.duration_us) / 1000, record.client_address);
  }
  auto* const logger = spdlog::default_logger_raw();
  if (!logger->should_log(spdlog::level::info)) return;
  const std::string members = members_of(record);
  const spdlog::details::log_msg line(request_logger, spdlog::level::info, members);
  for (const auto& sink : logger->sinks()) sink->log(line);
}

std::string dropped_line(uint64_t lines, bool json) {
  const std::string what =
      std::to_string(lines) + " log lines were dropped here: standard error was not read fast enough";
  if (!json) return "tokenrelay: " + what + "\n";
  return "{\"level\":\"warning\",\"message\":\"" + what + "\"}\n";
}

}  // namespace tokenrelay
