#include "models/build.h"

namespace latent {

Var leaf(Build& build, const Parameter& p) {
  Type type = p.type;
  type.dtype = build.real;
  const bool averaged = build.averaged && !p.frozen;
  return build.graph.variable({.name = averaged ? cat(kAverages, ".", p.name) : p.name,
                               .type = type,
                               .role = Role::parameter,
                               .init = p.init,
                               .group = p.frozen   ? ""
                                        : averaged ? kAverages
                                                   : kParameters});
}

}  // namespace latent
