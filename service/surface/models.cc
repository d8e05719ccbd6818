// GET /v1/models and /v1/models/{id}, for OpenAI's and Anthropic's clients, and the same below /v1beta for Gemini's:
// the models that the configuration names, and those that the upstreams list (api/known_models.h).
#include "service/api/known_models.h"
#include "service/json/parse.h"
#include "service/surface/chat/routes.h"
#include "service/surface/error.h"

namespace tokenrelay::surface {
namespace {

using http::Answer;
using http::Reply;
using http::Request;
using json::Value;

// Both protocols in one object: OpenAI's clients read `object`, `created`, `owned_by`; the other members are
// Anthropic's. The relay knows the name alone: not when a model was made, nor its limits.
Value model_json(const std::string& name, const std::string& owner) {
  Value out = {{"id", name},
               {"object", "model"},
               {"created", 0},
               {"owned_by", owner},
               {"type", "model"},
               {"display_name", name},
               {"created_at", "1970-01-01T00:00:00Z"},
               {"lifecycle", "active"}};
  for (const char* unknown :
       {"capabilities", "deprecated_at", "line", "max_input_tokens", "max_tokens", "retires_at"}) {
    out[unknown] = nullptr;
  }
  return out;
}

Value gemini_model_json(const std::string& name) {
  return Value{{"name", "models/" + name},
               {"version", ""},
               {"displayName", name},
               {"supportedGenerationMethods", {"generateContent", "streamGenerateContent"}}};
}

Reply json_reply(const Value& value) {
  return Reply{200, {}, json::dump(value), "application/json"};
}

asio::awaitable<Answer> list(api::Api& api, const Request&) {
  const auto known = co_await api::known_models(api);
  Value out = {{"object", "list"}, {"data", Value::array()}, {"has_more", false}};
  for (const auto& model : known) out["data"].push_back(model_json(model.name, model.upstream));
  out["first_id"] = known.empty() ? Value() : Value(known.front().name);
  out["last_id"] = known.empty() ? Value() : Value(known.back().name);
  co_return json_reply(out);
}

asio::awaitable<Answer> gemini_list(api::Api& api, const Request&) {
  const auto known = co_await api::known_models(api);
  Value out = {{"models", Value::array()}};
  for (const auto& model : known) out["models"].push_back(gemini_model_json(model.name));
  co_return json_reply(out);
}

Reply one(const api::Api& api, const Request& request) {
  const std::string& name = request.captures.at(0);
  const bool gemini = protocol_of(request) == Protocol::gemini;
  if (const auto route = api.shard.models().find(name)) {
    return json_reply(gemini ? gemini_model_json(name) : model_json(name, route->upstream->name));
  }
  const Error error{404, "unknown_model", "no upstream serves the model " + name, "model", std::nullopt, false};
  return error_reply(protocol_of(request).value_or(Protocol::chat), error, request.request_id);
}

}  // namespace

void add_model_routes(http::Router& router, api::Api& api) {
  router.add("GET", "/v1/models", "/v1/models",
             [&api](const Request& request) -> http::Outcome { return list(api, request); });
  router.add("GET", "/v1/models/(.+)", "/v1/models/{id}",
             [&api](const Request& request) -> http::Outcome { return one(api, request); });
  router.add("GET", "/v1beta/models", "/v1beta/models",
             [&api](const Request& request) -> http::Outcome { return gemini_list(api, request); });
  router.add("GET", "/v1beta/models/([^:]+)", "/v1beta/models/{id}",
             [&api](const Request& request) -> http::Outcome { return one(api, request); });
}

}  // namespace tokenrelay::surface
