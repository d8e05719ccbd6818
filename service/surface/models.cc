// GET /v1/models and /v1/models/{id}: the models that the configuration names. Globs are not listed; with one upstream
// that takes every name, the default model is.
#include "service/json/parse.h"
#include "service/surface/chat/routes.h"
#include "service/surface/error.h"

namespace tokenrelay::surface {
namespace {

using http::Reply;
using http::Request;
using json::Value;

// Both protocols in one object: OpenAI's clients read `object`, `created`, `owned_by`; Anthropic's `type`,
// `display_name`, `created_at`. The relay does not know when a model was made.
Value model_json(const std::string& name, const std::string& owner) {
  return Value{{"id", name},
               {"object", "model"},
               {"created", 0},
               {"owned_by", owner},
               {"type", "model"},
               {"display_name", name},
               {"created_at", "1970-01-01T00:00:00Z"}};
}

Reply list(const api::Api& api) {
  const auto known = api.shard.models().known();
  Value out = {{"object", "list"}, {"data", Value::array()}, {"has_more", false}};
  for (const auto& model : known) out["data"].push_back(model_json(model.name, model.upstream));
  out["first_id"] = known.empty() ? Value() : Value(known.front().name);
  out["last_id"] = known.empty() ? Value() : Value(known.back().name);
  return Reply{200, {}, json::dump(out), "application/json"};
}

Reply one(const api::Api& api, const Request& request) {
  const std::string& name = request.captures.at(0);
  if (const auto route = api.shard.models().find(name)) {
    return Reply{200, {}, json::dump(model_json(name, route->upstream->name)), "application/json"};
  }
  const Error error{404, "unknown_model", "no upstream serves the model " + name, "model", std::nullopt, false};
  return error_reply(Protocol::chat, error, request.request_id);
}

}  // namespace

void add_model_routes(http::Router& router, api::Api& api) {
  router.add("GET", "/v1/models", "/v1/models", [&api](const Request&) -> http::Outcome { return list(api); });
  router.add("GET", "/v1/models/(.+)", "/v1/models/{id}",
             [&api](const Request& request) -> http::Outcome { return one(api, request); });
}

}  // namespace tokenrelay::surface
