import { stripVTControlCharacters } from "node:util";

/** A foreign text of one line for a terminal: without characters that a terminal obeys. */
export const printable = (text: string): string => stripVTControlCharacters(text).replaceAll(/[^\P{C}\t]/gu, "?");
