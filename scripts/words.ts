/** Words that this project does not use, and what to say instead. `npm run words:check` reads this list. */

export interface Word {
  /**
   * Matches the words. A space in it also matches the end of a line and the mark of a comment on the next line, so it
   * must not stand in a character class.
   */
  readonly insteadOf: RegExp;
  readonly say: string;
  readonly why: string;
  /** Matches lines that keep the word; the comment above it gives the reason. */
  readonly except?: RegExp;
}

const ONE_WORD = 'one word for one thing';
const PLAIN = 'plain English';

/** One name for each thing. */
const DECIDED: readonly Word[] = [
  {
    insteadOf:
      /\b[Pp]ut(?:s|ting)?(?:-| )?off\b|\b[Pp]ut(?:s|ting)? (?:[\w'-]+ ){1,4}?off\b|\bputOff|PutOff|PUT_OFF|\bpostpon|Postpon/,
    say: 'defer, deferral',
    why: ONE_WORD,
    // The name of a file in the agent's folder, which the present release reads.
    except: /'put-off\.json'/,
  },
  {
    insteadOf: /\bnot(?:-| )now\b|\bnotNow|NotNow|\bNot now\b/,
    say: 'defer, deferral',
    why: ONE_WORD,
    // The reason that a device sends when its owner gives none: a text on the wire.
    except: /DEFAULT_REASON = 'not now'/,
  },
  {
    insteadOf: /\btime-outs?\b|\bTime-outs?\b|\btimed-out\b|[a-z]TimeOut|\btimeOut/,
    say: 'timeout',
    why: ONE_WORD,
  },
  { insteadOf: /\bfile store\b/, say: 'artifact store', why: ONE_WORD },
  {
    insteadOf: /\bclass \w*(?:Manager|Helper|Utils?)\b/,
    say: 'the thing that it is',
    why: 'such a name says nothing',
  },
];

/** Turns of phrase that a reader stumbles over. */
const UN_ENGLISH: readonly Word[] = [
  {
    insteadOf: /\bunless (?:told|said|asked|set|named|given)(?= otherwise\b|[.,;:)'"`|]|$)/m,
    say: '"by default" or "the default is ..."',
    why: PLAIN,
  },
  {
    insteadOf: /\bnobody's business\b/,
    say: 'what follows from it: "is ignored", "no longer matters"',
    why: PLAIN,
  },
  { insteadOf: /\b(?:is|are) looked at when\b/, say: '"is checked after" or "trim it after"', why: PLAIN },
  { insteadOf: /\b[Ss]hall\b/, say: '"must", "will" or "can"', why: PLAIN },
  {
    insteadOf: /(?:\/\*\*|^ *\*|\/\/|^#) Of (?:an?|the|one|all|what|its|who\w*)\b/m,
    say: 'the thing itself: "The longest life of a certificate", not "Of a certificate: ..."',
    why: PLAIN,
  },
  {
    insteadOf: /\bOf an? (?:[\w'-]+ ){0,5}?(?:[\w'-]+:|(?:it|there) is)/,
    say: 'the sentence in its usual order',
    why: PLAIN,
  },
  { insteadOf: /, with an end\b/, say: '"with an expiry date"', why: PLAIN },
  {
    insteadOf: /\b(?:is|are|was|were|be) told (?:of|so|by)\b/,
    say: '"is notified of", "learns of" or "reports"',
    why: PLAIN,
  },
  {
    insteadOf:
      /(?:\/\*\*|^ *\*|\/\/|[.:;]) Who (?!the |an? |or )(?:[\w']+ ){1,4}(?:is|are|was|has|gets|does|may|can|must|needs|leaves|keeps|becomes|neither|proves)\b/m,
    say: 'a noun: "A device that ..." or "Whoever ..."',
    why: PLAIN,
  },
  {
    insteadOf:
      /(?:["'`}]|\b(?:[Ww]hat|that|which|[Tt]his|[Ii]t)) is no (?!longer\b|more\b|less\b|better\b|worse\b|reason\b|way\b|sign\b|promise\b|proof\b|secret\b|use\b|good\b|point\b|need\b|room\b|time\b|answer\b)|(?<!\b[Tt]here )\bis no (?:address|JSON|archive|artifact|array|URL|identity|message|socket|port|path|number|key|text|topic|token|type|file|object)\b/,
    say: '"is not a ..."',
    why: PLAIN,
  },
  {
    insteadOf:
      /\b(?:after|in|of|than|for|when|with|over|until|once|what) so (?:many|much|long|often)\b(?! as\b| that\b)(?![^.;:]{0,60} that\b)/,
    say: '"this many", "that long", or the number by its name',
    why: PLAIN,
  },
  {
    insteadOf: /\b(?:whence|whither|wherein|thereof|whereof|therein|herein|hereby|whereby|thereby)\b/,
    say: 'the usual word',
    why: PLAIN,
  },
  {
    insteadOf: /\b(?:informations|softwares|advices|equipments|middlewares)\b/,
    say: 'the word without its s',
    why: PLAIN,
  },
  {
    insteadOf: /\bby the word of\b|\bby the (?:server|device|kernel|broker)'s word\b/,
    say: '"as ... says" or "according to"',
    why: PLAIN,
  },
];

export const WORDS: readonly Word[] = [...DECIDED, ...UN_ENGLISH];

/** File names that do not say what is in the file. */
export const EMPTY_NAMES = /(?:^|\/)(?:core|common|contract|utils?|helpers?|misc)\.[cm]?[jt]s$/;
