import { Engine } from './engine.ts';
import { type Project, type ProjectOptions, projectAt } from './project.ts';
import { type Recipe, readRecipe } from './recipe.ts';
import { stages } from './stages.ts';

/** A project with its recipe read and its engine ready: what every verb about a build starts from. */
export interface Session {
  readonly project: Project;
  readonly recipe: Recipe;
  readonly engine: Engine;
}

export async function openSession(
  options: ProjectOptions & { readonly profile?: string } = {},
): Promise<Session> {
  const project = projectAt(process.cwd(), options);
  const recipe = await readRecipe(project, options.profile);
  return { project, recipe, engine: new Engine(stages, recipe, project) };
}
