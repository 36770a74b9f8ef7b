#!/usr/bin/env bash
# Builds the service on the host: the requirements, then, where it works out, a gallery of real test images.
# Without the dataset the app shows the synthetic phantoms of data/samples, so that step never fails the build.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

pip install --disable-pip-version-check --require-hashes -r requirements.lock
# Compiled here, where there is a processor, and not at each start on a tenth of one. Checked by
# content, since copying the build to the host may change the files' times.
python -m compileall -q --invalidation-mode checked-hash app.py gunicorn.conf.py model web

build_real_gallery() {
  local pins # what the download imports beyond the lock
  pins=$(grep -E '^kagglehub==' requirements-train.txt | cut -d ' ' -f 1) &&
    # shellcheck disable=SC2086 # one word a pin
    pip install --disable-pip-version-check $pins &&
    python -m data.download &&
    python -m data.samples real --data data/raw
}

if build_real_gallery; then
  echo "Gallery: real test images, in data/gallery."
else
  rm -rf data/gallery # never serve half a gallery
  echo "Gallery: the dataset could not be downloaded or read, so the synthetic phantoms in data/samples are shown."
fi
rm -rf data/raw # only the gallery is needed from here on
