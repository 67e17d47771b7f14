/* What is paid by the piece: read from a request or an answer where it lies. Pure. */
#ifndef SFPROXY_PROXY_UNITS_H
#define SFPROXY_PROXY_UNITS_H

#include "base/str.h"

/* UTF-8 bytes of the text to speak, `input` of an audio/speech request; 0: there is none. */
int64_t units_of_speech(struct str body);
/* Pictures in a whole answer: the elements of `images`, else of `data`; 0: none, or not readable. */
int64_t units_of_images(struct str answer);
/* Videos that an answer of video/submit promises: 1 when it names a job (`requestId`), else 0. */
int64_t units_of_video(struct str answer);

#endif
