/* SPDX-License-Identifier: MIT */
/*
 * A store as files to begin each case with: taken once, put back for each. Blob
 * files, which nobody changes, are put back as links.
 */
#ifndef FAULTS_IMAGE_H
#define FAULTS_IMAGE_H

struct image;

/* Remember the tree at `path`, which must stay as it is. */
struct image *image_new(const char *path);

/* Make `path` be the same: what is too much there goes, and what is there and
 * was made by image_put() of this image is used again. */
void image_put(struct image *image, const char *path);

/* Delete a tree. */
void image_wipe(const char *path);

#endif
