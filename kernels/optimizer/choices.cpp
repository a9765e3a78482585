// The optimizers by their names in YAML.
#include <algorithm>
#include <vector>

#include "core/config/choice.h"
#include "kernels/optimizer/optimizer.h"

namespace latent {
namespace {

using namespace schema;

struct Kind {
  ChoiceSpec spec;
  Optimizer (*make)(const Value& options, const Schedule& schedule);
};

Option lr(const char* fallback) {
  return option("lr", real("(0, inf)"), fallback, "learning rate");
}

/// Not 0: the padding between parameters, all zeros, must stay so.
Option eps(const char* fallback, const char* doc) {
  return option("eps", real("[1e-30, inf)"), fallback, doc);
}

Kind sgd() {
  return {{.name = "sgd",
           .doc = "stochastic gradient descent",
           .options = {lr("1e-3"),
                       option("momentum", real("[0, 1)"), "0", "decay of the summed gradients"),
                       option("nesterov", boolean(), "false", "looks one step of momentum ahead")},
           .shares = {},
           .unbuilt = ""},
          [](const Value& o, const Schedule& schedule) -> Optimizer {
            const Sgd op{.lr = o.at("lr").as_real(),
                         .momentum = o.at("momentum").as_real(),
                         .nesterov = o.at("nesterov").as_bool(),
                         .schedule = schedule};
            if (op.nesterov && op.momentum == 0)
              throw error_at(o.at("nesterov").mark(), "nesterov", "needs a momentum above 0");
            if (op.momentum == 0) return {.op = op};
            return {.op = op, .states = {"m"}};
          }};
}

Optimizer make_adam(const Value& o, const Schedule& schedule, double decay) {
  const std::vector<double> betas = o.at("betas").as_reals();
  return {.op = Adam{.lr = o.at("lr").as_real(),
                     .beta1 = betas[0],
                     .beta2 = betas[1],
                     .eps = o.at("eps").as_real(),
                     .decay = decay,
                     .schedule = schedule},
          .states = {"m", "v"},
          .initial = o.at("second_moment").as_real()};
}

std::vector<Option> adam_options() {
  const Domain beta = real("[0, 1)");
  return {lr("1e-3"),
          option("betas", tuple_of({beta, beta}), "[0.9, 0.999]", "decay of the two moments"),
          eps("1e-8", "added to the root of the second moment"),
          option("second_moment", real("[0, inf)"), "0", "where the second moment begins")};
}

Kind adam() {
  return {{.name = "adam",
           .doc = "Adam (Kingma and Ba 2015)",
           .options = adam_options(),
           .shares = {},
           .unbuilt = ""},
          [](const Value& o, const Schedule& schedule) { return make_adam(o, schedule, 0); }};
}

Kind adamw() {
  std::vector<Option> options = adam_options();
  options.push_back(option("decay", real("[0, inf)"), "0.01", "decay of the weights, times lr"));
  return {{.name = "adamw",
           .doc = "Adam with decoupled weight decay (Loshchilov and Hutter 2019)",
           .options = options,
           .shares = {},
           .unbuilt = ""},
          [](const Value& o, const Schedule& schedule) {
            return make_adam(o, schedule, o.at("decay").as_real());
          }};
}

Kind rmsprop() {
  return {{.name = "rmsprop",
           .doc = "RMSprop (Tieleman and Hinton 2012)",
           .options = {lr("0.01"),
                       option("alpha", real("[0, 1)"), "0.99", "decay of the second moment"),
                       eps("1e-8", "added to its root")},
           .shares = {},
           .unbuilt = ""},
          [](const Value& o, const Schedule& schedule) -> Optimizer {
            return {.op = RmsProp{.lr = o.at("lr").as_real(),
                                  .alpha = o.at("alpha").as_real(),
                                  .eps = o.at("eps").as_real(),
                                  .schedule = schedule},
                    .states = {"v"}};
          }};
}

Kind adagrad() {
  return {{.name = "adagrad",
           .doc = "Adagrad (Duchi, Hazan and Singer 2011)",
           .options = {lr("0.01"), eps("1e-10", "added to the root of the sum")},
           .shares = {},
           .unbuilt = ""},
          [](const Value& o, const Schedule& schedule) -> Optimizer {
            return {.op = Adagrad{.lr = o.at("lr").as_real(),
                                  .eps = o.at("eps").as_real(),
                                  .schedule = schedule},
                    .states = {"v"}};
          }};
}

Kind adadelta() {
  return {{.name = "adadelta",
           .doc = "Adadelta (Zeiler 2012); early Keras: lr 1, rho 0.95, eps 1e-8",
           .options = {lr("1"), option("rho", real("[0, 1)"), "0.9", "decay of the second moments"),
                       eps("1e-6", "added under the roots")},
           .shares = {},
           .unbuilt = ""},
          [](const Value& o, const Schedule& schedule) -> Optimizer {
            return {.op = Adadelta{.lr = o.at("lr").as_real(),
                                   .rho = o.at("rho").as_real(),
                                   .eps = o.at("eps").as_real(),
                                   .schedule = schedule},
                    .states = {"u", "v"}};
          }};
}

const std::vector<Kind>& kinds() {
  static const std::vector<Kind> all{sgd(), adam(), adamw(), rmsprop(), adagrad(), adadelta()};
  return all;
}

const bool registered = [] {
  for (const Kind& kind : kinds()) RegisterChoice(Family::optimizer, kind.spec);
  return true;
}();

}  // namespace

Optimizer make_optimizer(const Value& value, const Schedule& schedule) {
  const Choice choice = as_choice(value);
  const auto kind =
      std::ranges::find(kinds(), choice.name, [](const Kind& k) { return k.spec.name; });
  if (kind == kinds().end()) throw std::logic_error("no optimizer " + choice.name);
  return kind->make(choice.options, schedule);
}

}  // namespace latent
