// FER+ (Barsoum et al., "Training deep networks for facial expression recognition with crowd-sourced label
// distribution", ICMI 2016): ten people's votes for each image of FER2013.
#pragma once

#include <array>
#include <filesystem>
#include <optional>

#include "data/dataset.h"

namespace fer {

// Votes for the ten classes of ferplus_classes().
using Votes = std::array<int, 10>;

// What one mode of the FER+ reference code makes of one image's votes, after it has dropped single votes as
// outliers. Shares are of the eight expressions; nullopt where the code discards the image (no clear expression, or
// mostly unknown or no face). The modes differ in which votes count: majority, one class with more than half;
// probability and crossentropy, the most voted up to three; multitarget, all with 30% or more.
std::optional<std::array<double, 8>> expression_shares(const Votes& votes, FerPlusMode mode);

// `dataset` (from FER2013's csv) with the labels that the votes in `file` give in `mode`, discarded images removed.
// As in the reference code, `mode` rules the training part; the test parts are always labelled by majority. The
// votes of a part are matched to its images in order; a part that the csv does not hold is passed over.
Dataset with_ferplus_labels(const Dataset& dataset, const std::filesystem::path& file, FerPlusMode mode);

}  // namespace fer
