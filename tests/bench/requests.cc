#include "tests/bench/requests.h"

#include <stdexcept>

namespace tokenrelay::bench {
namespace {

std::string request(std::string_view path, std::string_view accept, std::string_view body) {
  std::string out = "POST ";
  out += path;
  out += " HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nAccept: ";
  out += accept;
  out += "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n";
  out += body;
  return out;
}

}  // namespace

std::string create_stream(bool as_events, bool coalesce) {
  return request(coalesce ? "/v1/streams" : "/v1/streams?coalesce=0",
                 as_events ? "text/event-stream" : "application/json", R"({"model":"bench","prompt":"Say it."})");
}

std::string chat_request() {
  return request("/v1/chat/completions", "text/event-stream",
                 R"({"model":"bench","messages":[{"role":"user","content":"Say it."}],"stream":true})");
}

std::string read_stream(const std::string& stream_id, const std::string& last_id, bool coalesce) {
  std::string out = "GET /v1/streams/" + stream_id + "/events" + (coalesce ? "" : "?coalesce=0") +
                    " HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n";
  if (!last_id.empty()) out += "Last-Event-ID: " + last_id + "\r\n";
  return out + "\r\n";
}

std::string stream_id_in(const std::string& body) {
  const size_t at = body.find("strm_");
  return at == body.npos ? "" : body.substr(at, body.find('"', at) - at);
}

std::string new_stream(Endpoint to) {
  struct Sink final : ResponseSink {
    std::string body;
    bool complete = false;
    void on_head(int, std::string_view) override {}
    void on_body(std::string_view bytes) override { body += bytes; }
    void on_complete() override { complete = true; }
  } sink;
  Client client;
  client.open(to, create_stream(false), sink);
  client.run([&] { return sink.complete || client.lost() > 0; }, 10);
  const std::string id = stream_id_in(sink.body);
  if (id.empty()) throw std::runtime_error("no stream was created: " + sink.body);
  return id;
}

}  // namespace tokenrelay::bench
