// GET /v1/models and /v1/models/{id}: the models that the configuration names. Globs name no model; with one upstream
// that takes every name, the default.
#include "service/surface/chat.h"

namespace tokenrelay::surface {
namespace {

using http::Reply;
using http::Request;
using json::Value;

// Both protocols in one object: OpenAI's clients read `object`, `created`, `owned_by`; Anthropic's `type`,
// `display_name`, `created_at`.
Value model_json(const std::string& name) {
  return Value{{"id", name},
               {"object", "model"},
               {"created", 0},
               {"owned_by", "tokenrelay"},
               {"type", "model"},
               {"display_name", name},
               {"created_at", "1970-01-01T00:00:00Z"}};
}

std::vector<std::string> known_names(const api::Api& api) {
  const auto& models = api.shard.models();
  auto names = models.names();
  if (names.empty() && !models.default_model().empty()) names.push_back(models.default_model());
  return names;
}

Reply list(const api::Api& api) {
  const auto names = known_names(api);
  Value out = {{"object", "list"}, {"data", Value::array()}, {"has_more", false}};
  for (const auto& name : names) out["data"].push_back(model_json(name));
  out["first_id"] = names.empty() ? Value() : Value(names.front());
  out["last_id"] = names.empty() ? Value() : Value(names.back());
  return Reply{200, {}, json::dump(out), "application/json"};
}

Reply one(const api::Api& api, const Request& request) {
  const std::string& name = request.captures.at(0);
  if (api.shard.models().find(name)) return Reply{200, {}, json::dump(model_json(name)), "application/json"};
  const Fault fault{404, "unknown_model", "no upstream serves the model " + name, "model", std::nullopt, false};
  return fault_reply(Dialect::chat, fault, request.request_id);
}

}  // namespace

void add_model_routes(http::Router& router, api::Api& api) {
  router.add("GET", "/v1/models", "/v1/models", [&api](const Request&) -> http::Outcome { return list(api); });
  router.add("GET", "/v1/models/(.+)", "/v1/models/{id}",
             [&api](const Request& request) -> http::Outcome { return one(api, request); });
}

}  // namespace tokenrelay::surface
