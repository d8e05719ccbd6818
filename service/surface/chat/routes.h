// OpenAI Chat Completions: POST /v1/chat/completions (stream and not), and GET /v1/models (CLIENTS.md, Chat
// Completions).
#pragma once

#include "service/api/api.h"
#include "service/http/router.h"

namespace tokenrelay::surface {

void add_chat_routes(http::Router& router, api::Api& api);
void add_model_routes(http::Router& router, api::Api& api);

}  // namespace tokenrelay::surface
