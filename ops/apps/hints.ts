/** Names of packages and files that say what an app needs. */

/** Packages by the need that they show, the keys of an entry. */
export const needs = {
  redis: [
    "ioredis",
    "redis",
    "@redis/client",
    "connect-redis",
    "bull",
    "bullmq",
    "bee-queue",
    "@fastify/redis",
    "@socket.io/redis-adapter",
    "rate-limit-redis",
    "cache-manager-redis-store",
    "handy-redis",
    "kue",
  ],
  postgres: [
    "pg",
    "pg-promise",
    "pg-native",
    "postgres",
    "slonik",
    "@fastify/postgres",
    "pg-boss",
    "graphile-worker",
    "postgraphile",
    "@neondatabase/serverless",
    "connect-pg-simple",
  ],
  websocket: [
    "ws",
    "socket.io",
    "@fastify/websocket",
    "fastify-websocket",
    "express-ws",
    "sockjs",
    "websocket",
    "@nestjs/websockets",
    "graphql-ws",
    "y-websocket",
    "faye-websocket",
  ],
};
/** Stores that Halo does not provide. */
export const elsewhere: Record<string, string[]> = {
  MySQL: ["mysql", "mysql2", "mariadb", "@fastify/mysql"],
  MongoDB: ["mongodb", "mongoose", "@fastify/mongodb", "connect-mongo"],
  "SQL Server": ["mssql", "tedious"],
  Elasticsearch: ["@elastic/elasticsearch"],
  RabbitMQ: ["amqplib"],
  Kafka: ["kafkajs"],
};
/** Stores whose data are files on one host. */
export const files = ["sqlite3", "better-sqlite3", "@louislam/sqlite3", "nedb", "lowdb", "level", "keyv-file"];
/** Packages that write what a client sends into files. */
export const uploads = ["multer", "formidable", "busboy", "@fastify/multipart", "express-fileupload"];
/** Programs that build a frontend: the folder of the result, and the folders in it whose files have a hash in their names. */
export const frontends: { packages: string[]; folder: string; immutable: string[] }[] = [
  { packages: ["react-scripts"], folder: "build", immutable: ["static"] },
  { packages: ["@vue/cli-service"], folder: "dist", immutable: ["js", "css"] },
  { packages: ["@docusaurus/core"], folder: "build", immutable: ["assets"] },
  { packages: ["@sveltejs/adapter-static"], folder: "build", immutable: ["_app/immutable"] },
  { packages: ["astro"], folder: "dist", immutable: ["_astro"] },
  { packages: ["@11ty/eleventy"], folder: "_site", immutable: [] },
  { packages: ["gatsby"], folder: "public", immutable: ["static"] },
  { packages: ["vite"], folder: "dist", immutable: ["assets"] },
  { packages: ["parcel", "parcel-bundler"], folder: "dist", immutable: [] },
];
/** Programs that change a database: the command, and a file or folder that says they are used. */
export const migrations: { packages: string[]; command: string; signs: RegExp }[] = [
  { packages: ["prisma", "@prisma/client"], command: "prisma migrate deploy", signs: /(^|\/)prisma\/migrations$/ },
  { packages: ["knex"], command: "knex migrate:latest", signs: /(^|\/)knexfile\.[cm]?[jt]s$/ },
  { packages: ["sequelize-cli"], command: "sequelize db:migrate", signs: /(^|\/)(\.sequelizerc|migrations)$/ },
  { packages: ["drizzle-kit"], command: "drizzle-kit migrate", signs: /(^|\/)drizzle\.config\.[cm]?[jt]s$/ },
  { packages: ["node-pg-migrate"], command: "node-pg-migrate up", signs: /(^|\/)migrations$/ },
  { packages: ["db-migrate"], command: "db-migrate up", signs: /(^|\/)migrations$/ },
];
/** Scripts of package.json that are a migration by their names. */
export const migrationScripts = [
  "migrate:deploy",
  "db:migrate:deploy",
  "migrate:latest",
  "migrate:up",
  "db:migrate",
  "migrate",
  "migration:run",
  "migrations:run",
  "migrations",
];

/** Packages for work at fixed times. */
export const timers = ["node-cron", "cron", "node-schedule", "agenda", "croner", "bree"];

/** Packages whose clients begin with several requests, which must reach the same backend. */
export const polling = ["socket.io", "sockjs"];

/** Frameworks whose own command reads PORT. */
export const frameworks = ["next", "nuxt", "remix-serve", "react-router-serve", "strapi", "fastify", "nest"];

/** Files in which a project names its variables. */
export const examples = [".env.example", ".env.sample", ".env.template", ".env.dist", "env.example"];

/** Variables that Halo gives, to every app or with redis and postgres. */
export const given =
  /^(PORT|HOST|NODE_ENV|DATABASE_URL|PG(HOST|PORT|USER|PASSWORD|DATABASE)|REDIS_(URL|HOST|PORT|PASSWORD|USERNAME))$/;

/** Variables that may have any long value. A key of somebody's service is none of them: a generated one would be wrong. */
export const secret = /^((APP|COOKIE|JWT|SESSION|AUTH|TOKEN|CSRF|ENCRYPTION|NEXTAUTH)_)*(SECRET|JWT_KEY)(_KEY)?$/;
