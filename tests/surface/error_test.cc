// Errors in each surface's own shape.
#include "service/surface/error.h"

#include "service/http/problem.h"
#include "service/json/parse.h"
#include "tests/support/catch.h"

namespace tokenrelay::surface {
namespace {

using json::Value;

const Error limited{429, "upstream_rate_limited", "slow down", "", 1'500, false};

Value body_of(Protocol protocol, const Error& fault) {
  return json::parse(error_reply(protocol, fault, "req_1").body).value();
}

std::string header_of(const http::Reply& reply, const std::string& name) {
  std::string found;
  for (const auto& [key, value] : reply.headers) {
    if (key == name) found += value;  // once, or it shows
  }
  return found;
}

upstream::Error said(int status, std::optional<int64_t> retry_after_ms = std::nullopt) {
  return {upstream::ErrorCode::upstream_error, "m", false, retry_after_ms, status};
}

int status_of(const std::string& code, int http_status) {
  return error_of({code, "m", false}, said(http_status)).status;
}

}  // namespace

TEST_CASE("one fault in five shapes", "[fault]") {
  const Value openai = {
      {"message", "slow down"}, {"type", "rate_limit_error"}, {"param", nullptr}, {"code", "upstream_rate_limited"}};
  CHECK(body_of(Protocol::chat, limited) == Value{{"error", openai}});
  CHECK(body_of(Protocol::responses, limited) == Value{{"error", openai}});
  const auto anthropic = body_of(Protocol::anthropic, limited);
  CHECK(anthropic["type"] == "error");
  CHECK(anthropic["error"] == Value{{"type", "rate_limit_error"}, {"message", "slow down"}});
  CHECK(anthropic["request_id"] == "req_1");
  const auto gemini = body_of(Protocol::gemini, limited)["error"];
  CHECK(gemini["code"] == 429);
  CHECK(gemini["status"] == "RESOURCE_EXHAUSTED");
  CHECK(gemini["details"][0]["retryDelay"] == "2s");
  const auto ui = error_reply(Protocol::ui, limited, "req_1");
  CHECK(ui.body == "slow down");
  CHECK(ui.content_type == "text/plain; charset=utf-8");
}

TEST_CASE("inside a stream: Responses' flat event, the UI's part", "[fault]") {
  CHECK(json::parse(error_json(Protocol::responses, limited, "")).value() ==
        Value{{"type", "error"}, {"code", "upstream_rate_limited"}, {"message", "slow down"}, {"param", nullptr}});
  CHECK(error_json(Protocol::ui, limited, "") == R"({"type":"error","errorText":"slow down"})");
}

TEST_CASE("retry headers: whole seconds rounded up; x-should-retry where clients know it", "[fault]") {
  for (const auto protocol :
       {Protocol::chat, Protocol::responses, Protocol::anthropic, Protocol::gemini, Protocol::ui}) {
    const auto reply = error_reply(protocol, limited, "req_1");
    CHECK(reply.status == 429);
    CHECK(header_of(reply, "Retry-After") == "2");
    CHECK(header_of(reply, "x-should-retry") == (protocol == Protocol::gemini ? "" : "false"));
  }
  CHECK(header_of(error_reply(Protocol::chat, invalid("n", "must be 1"), ""), "Retry-After").empty());
}

TEST_CASE("a field is told by its name, in the message and beside it", "[fault]") {
  const auto error = body_of(Protocol::chat, invalid("n", "must be 1"))["error"];
  CHECK(error["param"] == "n");
  CHECK(error["type"] == "invalid_request_error");
  CHECK(error["message"].get<std::string>().find("n: must be 1") == 0);
  CHECK(error_reply(Protocol::ui, invalid("parameters.stop", "is odd"), "").body == "parameters.stop: is odd");
}

TEST_CASE("an upstream's failure as a status: its own where it is of the same kind", "[fault]") {
  CHECK(status_of("upstream_rate_limited", 429) == 429);
  CHECK(status_of("upstream_bad_request", 422) == 422);
  CHECK(status_of("upstream_overloaded", 529) == 529);
  CHECK(status_of("upstream_error", 418) == 418);
  CHECK(status_of("upstream_error", 500) == 500);
  CHECK(status_of("upstream_error", 403) == 502);  // the relay's own credential is not the client's affair
  CHECK(status_of("upstream_auth", 401) == 502);
  CHECK(status_of("upstream_auth", 503) == 502);
  CHECK(status_of("upstream_bad_request", 200) == 400);
  CHECK(status_of("upstream_truncated", 0) == 502);
  CHECK(status_of("time_limit", 0) == 504);
  CHECK(status_of("something_new", 0) == 502);
  const auto fault = error_of({"upstream_rate_limited", "slow", true}, said(429, 31'000));
  CHECK(fault.retry_after_ms == 31'000);
  CHECK_FALSE(fault.should_retry);
  CHECK_FALSE(error_of({"relay_restarted", "m", true}, std::nullopt).retry_after_ms);
}

TEST_CASE("a problem on a surface's path takes its shape; elsewhere it stays", "[fault]") {
  http::Request request;
  request.request_id = "req_1";
  request.path = "/v1/chat/completions";
  auto reply = http::problem(http::Code::draining, "the relay is shutting down", "req_1", 5);
  shape_error(request, reply);
  CHECK(reply.status == 503);
  const auto error = json::parse(reply.body).value()["error"];
  CHECK(error["code"] == "draining");
  CHECK(error["type"] == "server_error");
  CHECK(header_of(reply, "Retry-After") == "5");
  CHECK(header_of(reply, "x-should-retry") == "true");  // nothing was started
  request.path = "/api/chat/c/stop";
  auto shown = http::problem(http::Code::not_found, "no such thing", "req_1");
  shape_error(request, shown);
  CHECK(shown.body == "no such thing");
  request.path = "/v1/streams";
  auto native = http::problem(http::Code::not_found, "no such thing", "req_1");
  const auto before = native.body;
  shape_error(request, native);
  CHECK(native.body == before);
}

TEST_CASE("which path is whose", "[fault]") {
  const auto of = [](const std::string& path, bool anthropic = false) {
    http::Request request;
    request.path = path;
    if (anthropic) request.headers = {{"anthropic-version", "2023-06-01"}};
    return protocol_of(request);
  };
  for (const auto* path : {"/v1/chat/completions", "/v1/chat", "/v1/chat/completions/x/messages", "/v1/models/m",
                           "/v1/embeddings", "/v1/completions", "/v1/files/f/content?x=/v1beta"}) {
    CHECK(of(path) == Protocol::chat);
  }
  CHECK(of("/v1/responses/resp_1/cancel") == Protocol::responses);
  CHECK(of("/v1/responses?stream=true") == Protocol::responses);
  CHECK(of("/v1/messages") == Protocol::anthropic);
  CHECK(of("/v1/messages/count_tokens") == Protocol::anthropic);
  CHECK(of("/v1/models", true) == Protocol::anthropic);
  CHECK(of("/v1/files", true) == Protocol::anthropic);
  CHECK(of("/v1/chat/completions", true) == Protocol::chat);
  for (const auto* path : {"/v1beta/models/m:generateContent", "/v1/models/m:countTokens", "/v1beta/cachedContents",
                           "/v1alpha/x", "/v1beta"}) {
    CHECK(of(path) == Protocol::gemini);
  }
  CHECK(of("/api/chat/c/stream") == Protocol::ui);
  for (const auto* path : {"/v1/streams", "/v1/ws", "/v1/messagesx", "/api/chats", "/v1betas", "/v1", "/", "", "/x"}) {
    CHECK_FALSE(of(path));
  }
}

TEST_CASE("OpenAI's request id header, on OpenAI's paths alone", "[fault]") {
  http::Request request;
  request.request_id = "req_1";
  for (const auto& [path, count] :
       {std::pair{"/v1/responses", 1u}, {"/v1/chat/completions", 1u}, {"/v1/messages", 0u}}) {
    request.path = path;
    http::HeaderList headers;
    add_headers(request, headers);
    CHECK(headers.size() == count);
  }
}

}  // namespace tokenrelay::surface
