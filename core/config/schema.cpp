#include "core/config/schema.h"

namespace latent {
namespace {

using namespace schema;

// What a refused key or value comes with.
const char* const kPapers = "tables and the papers' experiments";
const char* const kLater = "a later version";

Domain none() { return words({"none"}); }
Domain column() { return text() | integer("[0, inf)"); }

Option data() {
  return required(
      "data",
      record({
          required("source", schema::name_of(Family::source), "where the rows come from"),
          contextual("path", none() | path() | list_of(path()),
                     "the source's name, in $LATENT_DATA",
                     "file or folder; a list is read in its order"),
          option("key", text(), "auto",
                 "npz, safetensors: which array; auto: the only one, or the matrix of "
                 "scipy.sparse.save_npz"),
          option("columns", words({"all"}) | list_of(column()), "all",
                 "csv: names or numbers of the features"),
          option("drop", list_of(column()), "[]", "csv: columns left out"),
          option("header", words({"auto"}) | boolean(), "auto", "csv: is the first line one"),
          option("delimiter", words({"auto"}) | text(".", "one character"), "auto",
                 "csv: auto finds , ; tab and blank"),
          option("labels", none() | integer("[0, inf)") | path(".*[./].*") | text(), "none",
                 "csv: column; npz, safetensors: key; else a file. Known sources bring their own"),
          option("normal", list_of(column()), "[0]", "label values that are not anomalies"),
          option(
              "target", none() | path(".*[./].*") | text(), "none",
              "file, or key of npz and safetensors: what the output must match, row by row, when "
              "it is not the input"),
          option("condition", none() | unbuilt(kLater), "none",
                 "a second input beside the encoder's input and the code"),
          option("lengths", none() | unbuilt(kLater), "none", "ragged series"),
          option(
              "shape", words({"auto"}) | list_of(integer("[1, inf)")), "auto",
              "of a row: [28, 28, 1] (height, width, channels), [140, 1] (time, channels), [784]"),
          option("layout", words({"nhwc", "nchw"}), "nhwc", "of 4-d arrays in files"),
          option("window", none() | unbuilt(kPapers), "none",
                 "consecutive rows make one example (series)"),
          option(
              "missing", words({"refuse", "mask", "zero"}), "refuse",
              "empty and NaN cells; mask: 0 after scaling, and counted in no loss and no metric"),
          option("rows", words({"users"}) | unbuilt(kPapers, {"items"}), "users",
                 "ratings: what a row is"),
          option("above", none() | unbuilt(kPapers), "none", "ratings: keep values above, as ones"),
          option("min_events", words({"1"}) | unbuilt(kPapers), "1",
                 "ratings: rows with fewer are left out"),
          contextual("train", part() | words({"rest"}), "what validation leaves",
                     "rows that are not test rows"),
          contextual("validation", part() | words({"none", "test", "rest"}),
                     "0.1, or what train leaves", "rows that are not test rows"),
          option("test", part() | words({"own", "train", "none"}) | path(), "own",
                 "own: the source's, else 0.2; train: score what was trained on"),
          option("split",
                 words({"random", "stratified", "ordered"}) | unbuilt(kPapers, {"entries"}),
                 "random", "ordered: train, validation, test as in the file"),
          option("split_seed", integer("[0, inf)") | words({"seed"}), "0",
                 "seed: another split with each seed"),
          option("train_on", words({"all", "normal"}) | list_of(column()), "all",
                 "labels of train and validation; other rows leave them, never test"),
          option("scale", words({"auto", "unit", "standard", "minmax", "rms", "none"}), "auto",
                 "auto: unit for stored integers, none for sparse rows and reals in [0, 1], else "
                 "standard"),
          option("binarize", words({"none", "threshold", "static", "dynamic"}), "none",
                 "threshold at 0.5 after scale, or draw"),
          option("resident", words({"auto", "device"}) | unbuilt(kLater, {"host"}), "auto",
                 "where the rows lie"),
          option("count", integer("[1, inf)"), "12000", "embedded sources: rows made"),
          option("data_seed", integer("[0, inf)"), "0", "embedded sources: which rows"),
      }),
      "the data");
}

Option model() {
  return required(
      "model",
      record({
          option("init", choice_of(Family::initialiser), "glorot_uniform",
                 "default of every layer's weights"),
          option("objective", words({"elbo", "iwae"}), "elbo",
                 "how samples of the code are reduced"),
          option("corruption",
                 none() | choice_of(Family::corruption) | list_of(choice_of(Family::corruption)),
                 "none", "what is done to the input before the encoder sees it"),
          option("encoder", list_of(choice_of(Family::layer)), "[]",
                 "layers before the bottleneck"),
          required("bottleneck", choice_of(Family::bottleneck), "what the code is"),
          option("decoder", choice_of(Family::decoder) | list_of(choice_of(Family::layer)),
                 "mirror", "layers behind the bottleneck"),
          option("output",
                 words({"auto", "none"}) | choice_of(Family::layer, {"units", "channels"}), "auto",
                 "the layer behind the decoder's last; its size follows from the data"),
          required("likelihood", choice_of(Family::likelihood),
                   "how the output explains the input"),
          option("penalties", list_of(choice_of(Family::penalty)), "[]",
                 "terms added to the objective"),
      }),
      "the six parts");
}

Option train() {
  const Domain count = none() | integer("[1, inf)");
  const Domain stop =
      none() |
      record({required("patience", integer("[1, inf)"), "validations without a better one"),
              option("metric", text(), "validation.loss", "its direction is known")});
  const Domain init = none() | path() |
                      record({required("file", path(), "a .safetensors file or a run"),
                              option("rename", dictionary_of(text()), "{}",
                                     "names in the file to ours: {\"2\": encoder.1}")});
  return required(
      "train",
      record({
          option("epochs", count, "none", "length of the training; or steps, or examples"),
          option("steps", count, "none", "length of the training in optimizer steps"),
          option("examples", count, "none", "length of the training in examples presented"),
          option("batch_size", integer("[1, inf)"), "256", "rows of a step"),
          option("optimizer", choice_of(Family::optimizer), "adam", "how gradients become steps"),
          option("schedule", choice_of(Family::schedule), "constant", "factor on lr"),
          option("clip", none() | real("(0, inf)"), "none", "largest gradient norm"),
          option("ema", none() | real("(0, 1)"), "none",
                 "decay of averaged weights, used wherever weights are used after training"),
          option("shuffle", boolean(), "true", "false: the data set's own order"),
          option("tail", words({"wrap", "drop"}), "wrap", "wrap: batches span epochs"),
          option("init", init, "none", "weights to begin with: a run, a file"),
          option("pretrain", none() | unbuilt(kLater), "none", "greedy, layer by layer"),
          option("validate", duration("(0, inf)"), "1 epochs",
                 "between validations, lines of metrics.jsonl, checkpoints"),
          option("stop", stop, "none", "early stopping; also what `best` means"),
          contextual("keep", words({"last", "best"}), "best if stop, else last",
                     "the weights of test metrics, figures and later commands"),
      }),
      "the training; one of its epochs, steps, examples is required");
}

}  // namespace

const std::vector<Option>& experiment_keys() {
  static const std::vector<Option> keys = {
      contextual("name", text("[A-Za-z0-9._-]*[A-Za-z0-9_-][A-Za-z0-9._-]*", "[A-Za-z0-9._-]+"),
                 "the file's stem", "the run's folder"),
      option("seed", integer("[0, inf)"), "0", "initial weights, order, noise; a list is a sweep"),
      option("device", text("auto|cpu|simt|cuda(:[0-9]+)?", "auto | cpu | cuda | cuda:N"), "auto",
             "where it runs"),
      option("precision", words({"fp32", "tf32"}) | unbuilt(kLater, {"bf16"}), "fp32",
             "of matmuls and convolutions"),
      data(),
      model(),
      train(),
      option("evaluate", list_of(choice_of(Family::evaluation)), "[reconstruction]",
             "on the test rows, after training"),
      option("figures", words({"auto"}) | list_of(choice_of(Family::figure)), "auto",
             "auto: all that apply"),
  };
  return keys;
}

const std::vector<Option>& file_keys() {
  static const std::vector<Option> keys = {
      option("extends", none() | path(), "none",
             "a file whose keys come first; maps merge key by key"),
      option("sweep", none() | dictionary_of(text("", "list")) | list_of(dictionary_of(text())),
             "none", "map: a grid over dotted paths; list of maps: points, each may have a `name`"),
  };
  return keys;
}

}  // namespace latent
