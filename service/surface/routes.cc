#include "service/surface/routes.h"

#include "service/surface/anthropic/routes.h"
#include "service/surface/chat/routes.h"
#include "service/surface/gemini/routes.h"
#include "service/surface/responses/routes.h"
#include "service/surface/ui/routes.h"

namespace tokenrelay::surface {

void add_surface_routes(http::Router& router, api::Api& api) {
  add_chat_routes(router, api);
  add_model_routes(router, api);
  add_responses_routes(router, api);
  add_gemini_routes(router, api);
  const auto chats = add_ui_routes(router, api);
  // Streams that a restarted relay continues still belong to their chats.
  api.shard.each_live([&](const auto& stream) { chats->adopt(stream); });
  add_anthropic_routes(router, api);
}

}  // namespace tokenrelay::surface
