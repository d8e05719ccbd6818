#include "service/log_lines.h"

#include <spdlog/sinks/sink.h>
#include <spdlog/spdlog.h>

#include "service/json/parse.h"
#include "tests/support/catch.h"

using namespace tokenrelay;

namespace {

std::string line_of(std::string_view message, const char* logger = "tokenrelay") {
  const auto formatter = line_formatter(true)->clone();
  spdlog::memory_buf_t out;
  formatter->format(spdlog::details::log_msg(logger, spdlog::level::warn, message), out);
  return {out.data(), out.size()};
}

json::Value object_of(const std::string& line) {
  REQUIRE(!line.empty());
  CHECK(line.find('\n') == line.size() - 1);
  CHECK(line.find('\r') == line.npos);
  auto value = json::parse(std::string_view(line).substr(0, line.size() - 1));
  INFO(line);
  REQUIRE(value);
  return *value;
}

}  // namespace

TEST_CASE("a JSON line is one valid object, whatever the message", "[log_lines]") {
  for (const std::string& message :
       {std::string("plain"), std::string("quote \" and \\ and \n and \r"), std::string("a\0b", 3),
        std::string("\x1b[31m \xc2\x85 \xe2\x80\xa8"), std::string("{\"a\":1}"), std::string("%s {} ü")}) {
    const auto object = object_of(line_of(message));
    CHECK(object.at("message") == message);
    CHECK(object.at("level") == "warning");
    CHECK(object.at("time").get<std::string>().size() == 24);
    CHECK(object.size() == 3);
  }
  CHECK(object_of(line_of("half \xc3")).at("message") == "half \xef\xbf\xbd");
}

TEST_CASE("a JSON line is bounded", "[log_lines]") {
  const auto object = object_of(line_of(std::string(1 << 20, 'x')));
  CHECK(object.at("message").get<std::string>().size() == 8 << 10);
  std::string wide;
  while (wide.size() < 20'000) wide += "\xe2\x82\xac";  // cut before a character, not inside it
  CHECK(object_of(line_of(wide)).at("message") == wide.substr(0, (8 << 10) - 2));
}

TEST_CASE("a request's line has its fields", "[log_lines]") {
  struct Kept final : spdlog::sinks::sink {
    std::vector<std::string> lines;
    std::unique_ptr<spdlog::formatter> formatter = line_formatter(true);
    void log(const spdlog::details::log_msg& message) override {
      spdlog::memory_buf_t out;
      formatter->format(message, out);
      lines.emplace_back(out.data(), out.size());
    }
    void flush() override {}
    void set_pattern(const std::string&) override {}
    void set_formatter(std::unique_ptr<spdlog::formatter>) override {}
  };
  const auto kept = std::make_shared<Kept>();
  const auto before = spdlog::default_logger();
  spdlog::set_default_logger(std::make_shared<spdlog::logger>("tokenrelay", kept));
  http::RequestRecord record;
  record.method = "GET";
  record.path = "/v1/streams/\"\n";
  record.route = "/v1/streams/{id}";
  record.request_id = "req_1";
  record.client_address = "127.0.0.1";
  record.status = 404;
  record.duration_us = 1'234;
  log_request(record, true);
  spdlog::default_logger()->set_level(spdlog::level::err);
  log_request(record, true);
  spdlog::set_default_logger(before);
  REQUIRE(kept->lines.size() == 1);
  const auto object = object_of(kept->lines[0]);
  CHECK(object.at("path") == record.path);
  CHECK(object.at("route") == record.route);
  CHECK(object.at("status") == 404);
  CHECK(object.at("duration_ms") == 1.2);
  CHECK(object.at("request_id") == "req_1");
  CHECK(object.at("client") == "127.0.0.1");
  CHECK_FALSE(object.contains("message"));
}

TEST_CASE("dropped lines are told in the log's own form", "[log_lines]") {
  CHECK(object_of(dropped_line(7, true)).at("message").get<std::string>().rfind("7 log lines were dropped", 0) == 0);
  CHECK(dropped_line(7, false).rfind("tokenrelay: 7 log lines", 0) == 0);
}
