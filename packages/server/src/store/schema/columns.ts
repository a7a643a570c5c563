/** What columns of many tables have in common. */
import type { ColumnDefinitionBuilder } from 'kysely';

type Column = (column: ColumnDefinitionBuilder) => ColumnDefinitionBuilder;

/** The primary key. */
export const key: Column = (column) => column.primaryKey();
/** A primary key that grows with each row and is never used again. It can have gaps. */
export const counted: Column = (column) => column.primaryKey().autoIncrement();
export const needed: Column = (column) => column.notNull();
export const ofDevice: Column = (column) => column.notNull().references('devices.id');
