// The CRM's own scripts, one module a subject; each listens on the document, so fragments need no set-up.
import './board.js';
import './list.js';
import './composer.js';
import './drafts.js';
import './upload.js';
import './record.js';
import './palette.js';
import './keys.js';
